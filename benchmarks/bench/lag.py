"""Whether the work queues keep up with what comes in: none may hold more than two seconds of its own inflow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench.bus import Bus, States
from benchmarks.books.settling import WORK_QUEUES

_MOST_SECONDS = 2.0
_SLACK_MESSAGES = 20
"""A queue that gets little: what a worker holds for a moment is no backlog."""
_SAMPLE_SECONDS = 1.0


@dataclass(slots=True)
class Lag:
    """What was seen so far."""

    trouble: str = ""
    """The first queue that did not keep up."""


def behind(first: States, now: States, seconds: float) -> str:
    """Name a queue that holds more than it should, so many seconds after the first look; empty if there is none."""
    for queue in WORK_QUEUES:
        inflow = (now[queue].last_sequence - first[queue].last_sequence) / seconds
        waiting = now[queue].messages
        if waiting > _MOST_SECONDS * inflow + _SLACK_MESSAGES:
            return f"{queue} held {waiting} messages after {seconds:.0f} s, at {inflow:.0f}/s"
    return ""


@asynccontextmanager
async def watched(streams: Bus) -> AsyncIterator[Lag]:
    """Look each second while the body runs."""
    lag = Lag()
    watching = asyncio.create_task(_watch(streams, lag))
    try:
        yield lag
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if not watching.cancelled():
        watching.result()


async def _watch(streams: Bus, lag: Lag) -> None:
    loop = asyncio.get_running_loop()
    first, start = await streams.states(), loop.time()
    while not lag.trouble:
        await asyncio.sleep(_SAMPLE_SECONDS)
        now = await streams.states()
        lag.trouble = behind(first, now, loop.time() - start)
