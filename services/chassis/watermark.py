"""Whether everything that was on its way has arrived: what tells "not there" from "not there yet"."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.subjects import Stream

_LOOK_SECONDS = 0.02


async def passed(bus: Bus, streams: Sequence[Stream], seconds: float) -> bool:
    """Wait until everything has left these work queues that was in them at the call; False if it takes longer.

    A message leaves a queue after what derives from it is in the next one. So the queues are looked at in the order
    of the flow, each for what it holds when the one before has been left.

    Args:
        bus: where the queues are.
        streams: the queues, in the order in which work goes through them.
        seconds: how long to wait at most.
    """
    try:
        async with asyncio.timeout(seconds):
            for stream in streams:
                await _left(bus, stream)
    except (TimeoutError, Unavailable):
        return False
    return True


async def _left(bus: Bus, stream: Stream) -> None:
    state = await bus.state(stream)
    last = state.last_sequence
    while state.messages and state.first_sequence <= last:
        await asyncio.sleep(_LOOK_SECONDS)
        state = await bus.state(stream)
