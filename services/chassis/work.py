"""Working off a queue: everything of it is done once, or again, and nothing that cannot be done stops the rest.

A worker takes what is there, has its handler decide all of it, and acknowledges last. A batch that fails is handled
message by message; what fails three times by its own fault is buried: decided for good, with dead letters. Failures
of the database or the bus are nobody's fault and count nothing. A message that keeps coming back may be what kills
the worker, so it is taken alone, and its attempt is on disk before it is touched; whatever the worker lives to see of
it is taken back, unless the message was at fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from services.chassis import telemetry
from services.chassis.attempts import Attempts
from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.leftovers import Leftovers
from services.chassis.needs import Need
from services.chassis.pull import SUSPECT_TRIES, Delivery, Puller, pulling
from services.chassis.subjects import Durable, Stream

MAX_FAILURES = 3
_AGAIN = timedelta(seconds=1)
_MOST_DELAYS = 10
_RETRY_SECONDS = 0.25
_STOP_SECONDS = 1.5
"""How long a worker that is told to stop may finish what it has in hand; its supervisor kills it after 2.5 s."""
_HOLD_SECONDS = 3.0
"""How often work in progress says so: well within the `ack_wait` of every durable (10 s)."""

_log = logging.getLogger(__name__)
_worked = telemetry.meter(__name__).create_counter(
    "work.messages", description="messages of a work queue by durable and what became of them"
)


class Handler(Protocol):
    """What is done with the messages of one durable."""

    async def handle(self, deliveries: Sequence[Delivery], /) -> None:
        """Decide all of them; when it returns, everything derived from them is on disk.

        Raises:
            Unavailable: something it needs is away; all of them come again.
            Exception: one of them cannot be handled; each is tried alone.
        """

    async def bury(self, delivery: Delivery, tries: int, /) -> None:
        """Decide a message that has failed `tries` times: do what can be done of it, write dead letters for the rest.

        Raises:
            Unavailable: something it needs is away; the message comes again.
        """


class Worker:
    """Works off one durable, for ever; others may as well, elsewhere.

    In each of its slots some messages are worked on: while one waits for the disk, another computes. They take turns at
    gathering messages, else each would have a few.
    """

    def __init__(  # noqa: PLR0913 - a worker is what joins all of these
        self,
        bus: Bus,
        stream: Stream,
        durable: Durable,
        handler: Handler,
        attempts: Attempts,
        *,
        at_once: int,
        slots: int = 1,
        gather: timedelta = timedelta(0),
        needs: Sequence[Need] = (),
    ) -> None:
        """Describe the work.

        Args:
            bus: where the stream is.
            stream: the work queue.
            durable: which of its messages.
            handler: what is done with them.
            attempts: the book of failures.
            at_once: the most messages handled in one go.
            slots: how many lots of messages may be worked on at the same time.
            gather: how long a lot waits for more messages, once it has one: few large ones cost less than many small ones.
            needs: nothing is taken while one of them does not work, so that no message is handed out in vain.
        """
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._handler = handler
        self._attempts = attempts
        # At most half of what the durable may hand out: the rest is for the others.
        self._at_once = max(1, min(at_once, durable.max_ack_pending // 2))
        self._slots = slots
        self._gather = gather
        self._turn = asyncio.Lock()
        self._needs = needs
        self._owed: list[str] = []

    async def run(self) -> None:
        """Work until cancelled; what is in hand then is finished, or comes again to another worker."""
        slots = [asyncio.create_task(self._slot()) for _ in range(self._slots)]
        try:
            await asyncio.gather(*slots)
        finally:  # a fault of one ends all of them, before what they need is closed
            for slot in slots:
                slot.cancel()
            await asyncio.wait(slots)

    async def _slot(self) -> None:
        while True:
            try:
                for need in self._needs:
                    await need()
                async with pulling(self._bus, self._stream, self._durable) as puller:
                    await self._work(puller)
            except Unavailable as error:
                _log.info("work waits", extra={"durable": self._durable.name, "error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)

    async def _work(self, puller: Puller) -> None:
        leftovers = Leftovers(self._bus, self._stream, self._durable)
        while True:
            async with self._turn:
                deliveries = await leftovers.due(self._at_once) or await puller.fetch(
                    self._at_once, self._gather
                )
            if deliveries:
                await _finished(asyncio.create_task(self._decide_held(deliveries)))

    async def _decide_held(self, deliveries: Sequence[Delivery]) -> None:
        async with _held(deliveries):
            await self._decide(deliveries)

    async def _decide(self, deliveries: Sequence[Delivery]) -> None:
        others = [delivery for delivery in deliveries if delivery.tries <= SUSPECT_TRIES]
        suspects = [delivery for delivery in deliveries if delivery.tries > SUSPECT_TRIES]
        left = [*await self._together(others), *await self._singly(suspects, self._suspected)]
        for delivery in left:
            await delivery.again(_AGAIN * min(delivery.tries, _MOST_DELAYS))
        if left:
            raise Unavailable(f"{len(left)} messages come again")

    async def _together(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Handle deliveries at once, or each alone where that fails; answer those that are to come again."""
        if not deliveries:
            return ()
        try:
            if await self._handled(deliveries):
                return ()
        except Unavailable:
            if len(deliveries) == 1 or not await self._working():
                return deliveries
        return await self._singly(deliveries, self._alone)

    async def _singly(
        self, deliveries: Sequence[Delivery], decide: Callable[[Delivery], Awaitable[None]]
    ) -> Sequence[Delivery]:
        """Decide deliveries one by one, and answer those that are to come again: one of them holds up no other."""
        left: list[Delivery] = []
        for place, delivery in enumerate(deliveries):
            if left and not await self._working():
                return [*left, *deliveries[place:]]
            try:
                await decide(delivery)
            except Unavailable as error:
                _log.info("work comes again", extra={**self._described([delivery]), "error": str(error)})
                left.append(delivery)
            except Exception:  # noqa: BLE001 - even a message that cannot be buried must not stop the queue
                _log.exception("work cannot be given up", extra=self._described([delivery]))
                left.append(delivery)
        return left

    async def _working(self) -> bool:
        """Tell whether everything that work needs is there: else nothing that fails says anything of a message."""
        try:
            await self._bus.ping()
            for need in self._needs:
                await need()
        except Unavailable:
            return False
        return True

    async def _handled(self, deliveries: Sequence[Delivery]) -> bool:
        """Handle deliveries and acknowledge them, or tell that one of them is at fault.

        Raises:
            Unavailable: something is away; nobody is at fault.
        """
        try:
            await self._handler.handle(deliveries)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever a message provokes must not stop the queue; it is counted below
            _log.exception("work failed", extra=self._described(deliveries))
            return False
        await self._acknowledge(deliveries, "done")
        return True

    async def _alone(self, delivery: Delivery) -> None:
        if not await self._handled([delivery]):
            failures = await self._attempts.add(self._durable, delivery.message_id)
            await self._after_failure(delivery, failures)

    async def _suspected(self, delivery: Delivery) -> None:
        """Handle one that may kill its worker: that it was tried is known even then, and only then if it is not at fault."""
        await self._settle()
        before = await self._attempts.add(self._durable, delivery.message_id) - 1
        if before >= MAX_FAILURES:
            return await self._bury(delivery, before)
        try:
            at_fault = not await self._handled([delivery])
        except Unavailable:
            await self._take_back(delivery)
            raise
        if at_fault:
            await self._after_failure(delivery, before + 1)
        return None

    async def _take_back(self, delivery: Delivery) -> None:
        self._owed.append(delivery.message_id)
        await self._settle()

    async def _settle(self) -> None:
        """Take back attempts that were nobody's fault, those included for which the database was away."""
        while self._owed:
            message_id = self._owed.pop()
            try:
                await self._attempts.take_back(self._durable, message_id)
            except BaseException:
                self._owed.append(message_id)
                raise

    async def _after_failure(self, delivery: Delivery, failures: int) -> None:
        if failures >= MAX_FAILURES:
            return await self._bury(delivery, failures)
        _worked.add(1, {"durable": self._durable.name, "outcome": "failed"})
        await delivery.again(_AGAIN * failures)
        return None

    async def _bury(self, delivery: Delivery, failures: int) -> None:
        _log.error("work is given up", extra={**self._described([delivery]), "failures": failures})
        try:
            await self._handler.bury(delivery, failures)
        except Exception:
            await self._take_back(delivery)
            raise
        await self._acknowledge([delivery], "buried")

    async def _acknowledge(self, deliveries: Sequence[Delivery], outcome: str) -> None:
        for delivery in deliveries:
            await delivery.ack()
        _worked.add(len(deliveries), {"durable": self._durable.name, "outcome": outcome})

    def _described(self, deliveries: Sequence[Delivery]) -> dict[str, object]:
        ids = [delivery.message_id for delivery in deliveries]
        return {"durable": self._durable.name, "message_ids": ids}


async def _finished(work: asyncio.Task[None]) -> None:
    """Wait for work that is in hand, a little while even when told to stop: else it would come again after `ack_wait`."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work], timeout=_STOP_SECONDS)
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        work.cancel()
        raise


@asynccontextmanager
async def _held(deliveries: Sequence[Delivery]) -> AsyncIterator[None]:
    """Keep deliveries from being handed to somebody else while they are worked on."""
    holding = asyncio.create_task(_hold(deliveries))
    try:
        yield
    finally:
        holding.cancel()


async def _hold(deliveries: Sequence[Delivery]) -> None:
    while True:
        await asyncio.sleep(_HOLD_SECONDS)
        for delivery in deliveries:
            await delivery.in_progress()
