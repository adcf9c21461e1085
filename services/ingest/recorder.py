"""The recorder: decides every accepted scan, then hands over what follows from that, then lets the message go.

Letters go last: an operator may answer one at once, with a message that counts on the events before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

from services.chassis import telemetry
from services.chassis.bus import Bus, Outgoing
from services.chassis.clock import Clock
from services.chassis.pull import Delivery
from services.chassis.subjects import SCANS
from services.chassis.work import MAX_FAILURES
from services.ingest import accepted, dead_letters
from services.ingest.accepted import Message, Unreadable
from services.ingest.derivation import derive
from services.ingest.ownership import Decision
from services.ingest.store_record import RecordStore

_PORTION_BYTES = 2 * 1024**2
"""What one transaction decides, beyond a first message: some 20 000 small scans, well within a statement's 5 s."""
_EPOCH_AGE = timedelta(seconds=10)
"""How long the stream is taken for the same one without asking."""

Decisions = Sequence[Decision | None]

_log = logging.getLogger(__name__)
_scans = telemetry.meter(__name__).create_counter(
    "ingest.recorded_scans", description="scans by lane and what the recorder decided of them"
)
_late = telemetry.meter(__name__).create_counter(
    "ingest.late_messages", description="messages dropped because they had been decided long before"
)


class Epoch:
    """Which stream SCANS is: sequences of another one say nothing about the floor of this one."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._epoch = ""
        self._asked: float | None = None

    async def current(self) -> str:
        """Answer the epoch as of the last seconds.

        Raises:
            Unavailable: the bus does not answer.
        """
        now = asyncio.get_running_loop().time()
        if self._asked is None or now - self._asked > _EPOCH_AGE.total_seconds():
            self._epoch = (await self._bus.state(SCANS)).epoch
            self._asked = now
        return self._epoch

    async def is_no_longer(self, epoch: str) -> bool:
        """Ask whether the stream has become another one since.

        Raises:
            Unavailable: the bus does not answer.
        """
        self._asked = None
        return await self.current() != epoch


class Recorder:
    """Works off one lane of SCANS (a `work.Handler`); any number of them may run."""

    def __init__(self, bus: Bus, store: RecordStore, epoch: Epoch, now: Clock) -> None:
        self._bus = bus
        self._store = store
        self._epoch = epoch
        self._now = now

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Record messages and hand over what follows.

        Raises:
            Unavailable: the database or the bus is away, or a message is of a later version.
            Exception: a message cannot be read, or the store refuses a scan of it.
        """
        for portion in _portions(deliveries):
            messages = [_read(delivery) for delivery in portion]
            decisions = await self._decided(partial(self._store.record, messages))
            await self._hand_over(portion, messages, decisions)

    async def bury(self, delivery: Delivery, tries: int) -> None:
        """Decide a message for good; if it kills who tries even that, its scans die unseen.

        Raises:
            Unavailable: the database or the bus is away.
        """
        try:
            message = _read(delivery)
        except Unreadable:
            _log.exception("a message cannot be read", extra={"message_id": delivery.message_id})
            letter = dead_letters.unreadable(
                dead_letters.RECORDER, delivery.message_id, delivery.payload, delivery.tries, self._now()
            )
            return await self._bus.hand_over([dead_letters.outgoing(letter)])
        decisions = await self._decided(
            partial(self._store.bury, message, hopeless=tries >= 2 * MAX_FAILURES)
        )
        return await self._hand_over([delivery], [message], decisions)

    async def _decided(self, decide: Callable[[str], Awaitable[Decisions]]) -> Decisions:
        """Decide messages of the current epoch: one that came late may be of a stream that was made meanwhile."""
        epoch = await self._epoch.current()
        decisions = await decide(epoch)
        if None in decisions and await self._epoch.is_no_longer(epoch):
            return await decide(await self._epoch.current())
        return decisions

    async def _hand_over(
        self,
        deliveries: Sequence[Delivery],
        messages: Sequence[Message],
        decisions: Decisions,
    ) -> None:
        events: list[Outgoing] = []
        letters: list[Outgoing] = []
        for delivery, message, decision in zip(deliveries, messages, decisions, strict=True):
            if decision is None:
                _late.add(1, {"lane": message.lane})
                _log.warning("a message came late", extra={"message_id": delivery.message_id})
                continue
            _count(message, decision)
            events += derive(message, decision.won)
            written = dead_letters.of_message(message, decision, delivery.tries, self._now())
            letters += map(dead_letters.outgoing, written)
        await self._bus.hand_over(events)
        await self._bus.hand_over(letters)


def _read(delivery: Delivery) -> Message:
    return accepted.read(delivery.message_id, delivery.sequence, delivery.subject, delivery.payload)


def _portions(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Cut a fetch into transactions. Nothing that is published depends on where the cuts are."""
    portion: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if portion and size + len(delivery.payload) > _PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(delivery)
        size += len(delivery.payload)
    yield portion


def _count(message: Message, decision: Decision) -> None:
    known = len(message.scans) - len(decision.won) - len(decision.dead) - len(decision.reused)
    outcomes = {
        "won": len(decision.won),
        "dead": len(decision.dead),
        "reused": len(decision.reused),
        "known": known,
    }
    for outcome, count in outcomes.items():
        if count:
            _scans.add(count, {"lane": message.lane, "outcome": outcome})
