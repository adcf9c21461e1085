"""Group commit: what is handed over while earlier work is under way waits for it, and then goes together.

Where nothing is under way, work begins as soon as the event loop has heard everybody who is there, or when the first
of them has waited the few milliseconds that it is told to. So batches are as large as the load makes them, and one call
costs a crowd what it costs a single caller. Batchers that gather together begin together, so that what each of them
makes of its own items can be one item of the next. Work for one is done in its caller's context (trace, log ids), for
several in nobody's.
"""

from __future__ import annotations

import asyncio
import math
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


class Gathering:
    """When work begins: for all batchers that share one, when the first item of any of them has waited long enough."""

    def __init__(self, seconds: float = 0.0) -> None:
        """Describe it; `seconds` is how long an item waits for others."""
        self._seconds = seconds
        self._begins: list[Callable[[], None]] = []
        self._at = math.inf
        self._timer: asyncio.Handle | None = None

    def due(self) -> float:
        """Answer the loop time from which an item that comes now need not wait for others."""
        return asyncio.get_running_loop().time() + self._seconds

    def join(self, due: float, begin: Callable[[], None]) -> None:
        """Have `begin` called once: at loop time `due`, or with somebody who is due earlier; who is overdue goes alone."""
        loop = asyncio.get_running_loop()
        if due < loop.time():
            loop.call_soon(begin)  # a busy one must not end everybody's gathering early
            return
        self._begins.append(begin)
        if due < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = due
            self._timer = loop.call_at(due, self._begin)

    def _begin(self) -> None:
        begins, self._begins = self._begins, []
        self._at, self._timer = math.inf, None
        loop = asyncio.get_running_loop()
        for begin in begins:
            loop.call_soon(begin)  # each by itself: one that fails keeps nobody else waiting


class Batcher(Generic[Item, Result]):
    """Does work for several callers at a time."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        max_weight: int,
        at_once: float = 1,
        gathering: Gathering | None = None,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        """Describe it.

        Args:
            work: does it for some items, in their order; answers a result for each. What it raises, all callers get.
            max_weight: of the items of one call; a single item always goes.
            at_once: how many calls may be under way; infinite: nothing waits for them.
            gathering: how long items wait for others; None: not at all.
            when_idle: called when nothing is left to do.
        """
        self._work = work
        self._max_weight = max_weight
        self._at_once = at_once
        self._gathering = gathering or Gathering()
        self._when_idle = when_idle
        self._joined = False
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def do(self, item: Item, weight: int = 1) -> Result:
        """Have an item worked on, with others; one whose caller is cancelled before work on it begins is dropped."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(
            item, weight, self._gathering.due(), loop.create_future(), copy_context()
        )
        self._queue.append(waiting)
        self._begin_soon()
        return await waiting.result

    def _begin_soon(self) -> None:
        if not self._joined and len(self._under_way) < self._at_once:
            self._joined = True
            self._gathering.join(self._queue[0].due, self._begin)

    def _begin(self) -> None:
        self._joined = False
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
