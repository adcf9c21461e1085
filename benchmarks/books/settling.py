"""Waiting until what was accepted has arrived: it has left the work queues, in the order of the flow.

On a mesh that goes on accepting the queues are never empty. Then what was accepted before a *cut* has arrived when
each queue has let go of all it held when the one before it had done so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import nats
from nats import errors
from nats.aio.client import Client
from nats.js import api

from benchmarks.mesh import Description

WORK_QUEUES = ("SCANS", "RECORDED", "USAGE", "TALLY", "DEADLETTER")
"""In the order in which work goes through them."""
PATIENCE_SECONDS = 60.0
"""Without any progress: what a killed worker held comes again after ten seconds, and a dead letter takes three tries."""
EVERYTHING = datetime(9000, 1, 1, tzinfo=UTC)
"""The cut of a mesh on which nothing is on its way."""
_PUBLISHED_WITHIN = timedelta(seconds=20)
"""A scan is published at most ten seconds after its accept time, and clocks may differ a little; and a whole cell."""
_CELL_SECONDS = 10
_LOOK_SECONDS = 0.05
_CALL_SECONDS = 5.0
_RECONNECTS = 3


class NotSettled(Exception):
    """Work is on its way and does not arrive: nothing can be said of the books."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A work queue at one moment."""

    name: str
    messages: int
    first_sequence: int
    last_sequence: int


class Queues:
    """The work queues of a mesh, looked at."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self) -> tuple[Queue, ...]:
        """Answer how they are, in the order of the flow."""
        return tuple([await self._one(name) for name in WORK_QUEUES])

    async def settle(self, patience: float = PATIENCE_SECONDS) -> datetime:
        """Wait until what had been accepted when this was called has arrived, and answer the cut.

        However much that is: only a queue whose first message is the same for `patience` seconds is given up.

        Raises:
            NotSettled: it does not arrive.
        """
        cut = _begin_of_cell(datetime.now(UTC) - _PUBLISHED_WITHIN)
        for name in WORK_QUEUES:
            await self._passed(name, (await self._one(name)).last_sequence, patience)
        return cut

    async def _passed(self, name: str, held: int, patience: float) -> None:
        """Wait until a queue has let go of all up to the sequence `held`."""
        loop = asyncio.get_running_loop()
        first, since = 0, loop.time()
        while (queue := await self._one(name)).messages and queue.first_sequence <= held:
            if queue.first_sequence > first:
                first, since = queue.first_sequence, loop.time()
            elif loop.time() > since + patience:
                held_up = f"{name} holds {queue.messages} messages, the first for {patience:.0f} s"
                raise NotSettled(f"{held_up}: {await self._stuck(queue)}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _stuck(self, queue: Queue) -> str:
        """Describe the first message of a queue, and how far its consumers say they are."""
        jetstream = self._client.jetstream(timeout=_CALL_SECONDS)
        try:
            first = await jetstream.get_msg(queue.name, queue.first_sequence)
            consumers = await jetstream.consumers_info(queue.name)
        except (OSError, errors.Error) as error:
            return f"it cannot be looked at: {error!r}"
        where = f"the first has the sequence {queue.first_sequence} on {first.subject}"
        return "; ".join([f"{where}, the last {queue.last_sequence}", *map(_described, consumers)])

    async def _one(self, name: str) -> Queue:
        try:
            state = (await self._client.jetstream(timeout=_CALL_SECONDS).stream_info(name)).state
        except (OSError, errors.Error) as error:
            raise NotSettled(f"the bus does not answer how {name} is: {error!r}") from error
        return Queue(name, state.messages, state.first_seq, state.last_seq)


@asynccontextmanager
async def queues(description: Description) -> AsyncIterator[Queues]:
    """Connect to the bus, to look.

    Raises:
        NotSettled: there is no bus.
    """
    try:
        client = await nats.connect(
            description["nats"],
            connect_timeout=_CALL_SECONDS,
            max_reconnect_attempts=_RECONNECTS,
            error_cb=_raised_as_well,
        )
    except (OSError, errors.Error) as error:
        raise NotSettled(f"the bus does not answer: {error!r}") from error
    try:
        yield Queues(client)
    finally:
        await client.close()


async def _raised_as_well(_: Exception) -> None:
    """Write nothing: whoever called hears of the error."""


def _described(consumer: api.ConsumerInfo) -> str:
    floor = 0 if consumer.ack_floor is None else consumer.ack_floor.stream_seq
    return (
        f"{consumer.name} has let go of all up to {floor}, has {consumer.num_ack_pending} out"
        f" and {consumer.num_pending} to come"
    )


def quiet(before: tuple[Queue, ...], after: tuple[Queue, ...]) -> bool:
    """Tell whether nothing was on its way at any time between two looks."""
    return before == after and not any(queue.messages for queue in after)


def _begin_of_cell(time: datetime) -> datetime:
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % _CELL_SECONDS, UTC)
