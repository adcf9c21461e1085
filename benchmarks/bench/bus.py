"""The streams, watched: what waits in them, what went through, and how large its messages are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import nats
from nats.aio.client import Client

from benchmarks.books.settling import WORK_QUEUES, Queues

STREAMS = (*WORK_QUEUES, "ENRICHED")


@dataclass(frozen=True, slots=True)
class State:
    """A stream at one moment."""

    messages: int
    bytes: int
    last_sequence: int


States = Mapping[str, State]


class Bus:
    """The streams of a mesh, read only."""

    def __init__(self, client: Client) -> None:
        self._jetstream = client.jetstream()
        self._queues = Queues(client)

    async def states(self) -> States:
        """Look at all streams."""
        infos = await asyncio.gather(*map(self._jetstream.stream_info, STREAMS))
        return {
            name: State(info.state.messages, info.state.bytes, info.state.last_seq)
            for name, info in zip(STREAMS, infos, strict=True)
        }

    async def settle(self) -> None:
        """Return when all that was accepted is recorded, enriched and metered.

        Raises:
            NotSettled: it stands still.
        """
        await self._queues.settle()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Bus]:
    """Connect to the streams of a mesh."""
    client = await nats.connect(url)
    try:
        yield Bus(client)
    finally:
        await client.close()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went through a stream."""

    messages: int
    mean_bytes: float | None
    """Of the messages that were seen in it; none if it was found empty each time."""


def traffic(samples: Sequence[States]) -> Mapping[str, Traffic]:
    """Read from looks at the streams, the first one before and the last one after it all, what went through."""
    return {name: _traffic([sample[name] for sample in samples]) for name in STREAMS}


def _traffic(states: Sequence[State]) -> Traffic:
    first, last = states[0], states[-1]
    passed = last.last_sequence - first.last_sequence
    if passed and last.messages - first.messages == passed:  # they are all still there
        return Traffic(passed, (last.bytes - first.bytes) / passed)
    seen = sum(state.messages for state in states)
    return Traffic(passed, sum(state.bytes for state in states) / seen if seen else None)
