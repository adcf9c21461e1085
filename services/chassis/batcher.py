"""Group commit: what is handed over while earlier work is under way waits for it, and then goes together.

Where nothing is under way, work begins as soon as the event loop has heard everybody who is there, or when the first
of them has waited the few milliseconds that it is told to. So batches are as large as the load makes them, and one call
costs a crowd what it costs a single caller. Work for one is done in its caller's context (trace, log ids), for several in nobody's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    weight: int
    due: float
    """Loop time from which it need not wait for others."""
    result: asyncio.Future[Result]
    context: Context


class Batcher(Generic[Item, Result]):
    """Does work for several callers at a time."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        max_weight: int,
        at_once: int = 1,
        gather: float = 0.0,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        """Describe it.

        Args:
            work: does it for some items, in their order; answers a result for each. What it raises, all callers get.
            max_weight: of the items of one call; a single item always goes.
            at_once: how many calls may be under way.
            gather: seconds that the first item waits for others.
            when_idle: called when nothing is left to do.
        """
        self._work = work
        self._max_weight = max_weight
        self._at_once = at_once
        self._gather = gather
        self._when_idle = when_idle
        self._gathering = False
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def do(self, item: Item, weight: int = 1) -> Result:
        """Have an item worked on, with others; one whose caller is cancelled before work on it begins is dropped."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(
            item, weight, loop.time() + self._gather, loop.create_future(), copy_context()
        )
        self._queue.append(waiting)
        self._begin_soon()
        return await waiting.result

    def _begin_soon(self) -> None:
        if not self._gathering and len(self._under_way) < self._at_once:
            self._gathering = True
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, self._queue[0].due - loop.time()), self._begin)

    def _begin(self) -> None:
        self._gathering = False
        while self._queue and len(self._under_way) < self._at_once:
            some = self._take()
            if some:
                context = some[0].context if len(some) == 1 else Context()
                task = asyncio.create_task(self._run(some), context=context)
                self._under_way.add(task)
                task.add_done_callback(self._ended)
        self._look_idle()

    def _take(self) -> list[_Waiting[Item, Result]]:
        taken: list[_Waiting[Item, Result]] = []
        room = self._max_weight
        while self._queue and (not taken or self._queue[0].weight <= room):
            waiting = self._queue.popleft()
            if not waiting.result.done():
                taken.append(waiting)
                room -= waiting.weight
        return taken

    async def _run(self, some: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._work([each.item for each in some])
        except Exception as error:  # noqa: BLE001 - it is the callers' to deal with
            for each in some:
                if not each.result.done():
                    each.result.set_exception(error)
            return
        for each, result in zip(some, results, strict=True):
            if not each.result.done():
                each.result.set_result(result)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._queue:
            self._begin_soon()
        self._look_idle()

    def _look_idle(self) -> None:
        if not (self._queue or self._under_way):
            self._when_idle()
