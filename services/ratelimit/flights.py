"""Work in flight, done once for all who ask for the same meanwhile: else a cold start is a flood of one question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Runs one piece of work for a key at a time. Whoever joins may be answered from before it asked."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Answer what the work for a key answers, or raise what it raises; it goes on when its callers have gone."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._tasks.pop(key))
            task.add_done_callback(_take_note)
        return await asyncio.shield(task)


def _take_note(task: asyncio.Task[Any]) -> None:
    """Retrieve an error that nobody may be left to hear of, else asyncio logs it as never retrieved."""
    if not task.cancelled():
        task.exception()
