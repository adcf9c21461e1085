"""Open loop: calls begin when they are due, whether or not earlier ones have been answered.

Whoever measures counts from the due time, so that a mesh that stands still is charged for every call that was due
meanwhile (no coordinated omission).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_BREATH = 64
"""A pace that is behind lets others run after so many calls."""

Fire = Callable[[float], Awaitable[None]]
"""One call, given the loop time at which it was due."""


async def at_rate(per_second: float, seconds: float, fire: Fire) -> None:
    """Begin calls at a steady rate for some seconds; return when the last of them has ended.

    Raises:
        ExceptionGroup: what a call raised; the others are cancelled.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as calls:
        for number in range(round(per_second * seconds)):
            due = start + number / per_second
            ahead = due - loop.time()
            if ahead > 0 or number % _BREATH == 0:
                await asyncio.sleep(max(0.0, ahead))
            calls.create_task(_awaited(fire(due)))


async def _awaited(call: Awaitable[None]) -> None:
    await call
