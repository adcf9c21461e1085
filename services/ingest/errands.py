"""Work that is seen through even when whoever asked for it has hung up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Errands:
    """What is under way; it keeps the context, and so the deadline, of whoever began it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Set off; cancelling whoever waits for the task, with a shield, does not stop it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self) -> None:
        """Wait until nothing is under way, what an errand has begun included."""
        while self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def running() -> AsyncIterator[Errands]:
    """Open for errands; leaving waits for the last of them."""
    errands = Errands()
    try:
        yield errands
    finally:
        await errands.drain()
