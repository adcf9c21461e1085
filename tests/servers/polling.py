"""Waiting for what happens elsewhere: ask until the deadline, never sleep and hope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_PAUSE_SECONDS = 0.01


def until(condition: Callable[[], bool], what: str, *, seconds: float = 10.0) -> None:
    """Ask until `condition` holds; name `what` was waited for when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(_PAUSE_SECONDS)


async def eventually(condition: Callable[[], Awaitable[bool]], what: str, *, seconds: float = 10.0) -> None:
    """Ask until the awaited `condition` holds, while the event loop goes on."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await condition():
        if loop.time() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        await asyncio.sleep(_PAUSE_SECONDS)
