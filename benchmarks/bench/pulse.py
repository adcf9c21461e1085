"""An open loop for calls that take less than a millisecond.

Timers of an event loop are a millisecond coarse, which is more than some budgets are. So the last two milliseconds
before a call is due are spent looking at the clock, answers being read meanwhile. The generator pays for that, not the
mesh. Spans are by the performance counter and count from when the call was due.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

_CLOSE_SECONDS = 0.002

Call = Callable[[int], Awaitable[bool]]
"""One call, given its number; tells whether it was answered."""


async def spans(per_second: float, calls: int, call: Call) -> list[float]:
    """Begin calls at a steady rate; answer how many seconds each took, from when it was due: none answered, for ever.

    Raises:
        ExceptionGroup: what a call raised; the others are cancelled.
    """
    taken = [math.inf] * calls
    start = time.perf_counter()

    async def timed(number: int, due: float) -> None:
        if await call(number):
            taken[number] = time.perf_counter() - due

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            due = start + number / per_second
            await _until(due)
            group.create_task(timed(number, due))
    return taken


async def _until(due: float) -> None:
    ahead = due - time.perf_counter()
    if ahead > _CLOSE_SECONDS:
        await asyncio.sleep(ahead - _CLOSE_SECONDS)
    while time.perf_counter() < due:  # noqa: ASYNC110 - that it is not there yet is nobody's event
        await asyncio.sleep(0)
