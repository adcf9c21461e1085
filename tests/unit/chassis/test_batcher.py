from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from services.chassis.batcher import Batcher, Gathering


class Work:
    """Doubles numbers, when it may."""

    def __init__(self) -> None:
        self.begun: list[list[int]] = []
        self.started = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.begun.append(list(items))
        self.started.set()
        await self.open.wait()
        if 13 in items:
            raise ValueError(13)
        return [2 * item for item in items]


async def given(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Hand over items that come together, and let the batcher do what it does at once."""
    doing = [asyncio.create_task(batcher.do(item, item)) for item in items]
    await asyncio.sleep(0.002)
    return doing


async def test_what_comes_together_goes_together_and_each_gets_its_own_result() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=100), 1, 2, 3)
    assert work.begun == [[1, 2, 3]]
    work.open.set()
    assert await asyncio.gather(*doing) == [2, 4, 6]


async def test_what_comes_while_work_is_under_way_goes_with_the_next() -> None:
    work = Work()
    batcher = Batcher(work, max_weight=100)
    doing = [*await given(batcher, 1), *await given(batcher, 2), *await given(batcher, 3)]
    assert work.begun == [[1]]
    work.open.set()
    assert await asyncio.gather(*doing) == [2, 4, 6]
    assert work.begun == [[1], [2, 3]]


async def test_the_first_waits_for_others_as_long_as_it_is_told_to() -> None:
    work = Work()
    work.open.set()
    batcher = Batcher(work, max_weight=100, gathering=Gathering(0.05))
    doing = [*await given(batcher, 1), *await given(batcher, 2)]
    assert work.begun == []
    assert await asyncio.gather(*doing) == [2, 4]
    assert work.begun == [[1, 2]]


async def test_batchers_that_gather_together_begin_when_the_first_item_of_any_of_them_has_waited() -> None:
    works, gathering = [Work() for _ in range(3)], Gathering(0.05)
    batchers = [Batcher(work, max_weight=100, at_once=2, gathering=gathering) for work in works]
    doing = [task for number, batcher in enumerate(batchers) for task in await given(batcher, number)]
    assert [work.begun for work in works] == [[], [], []]
    await works[0].started.wait()
    await asyncio.sleep(0)
    assert [work.begun for work in works] == [[[0]], [[1]], [[2]]]
    doing += await given(batchers[1], 3)
    assert works[1].begun == [[1]]  # it waits for others, as the first one has
    for work in works:
        work.open.set()
    assert await asyncio.gather(*doing) == [0, 2, 4, 6]


async def test_who_has_waited_long_enough_for_a_call_goes_at_once_and_leaves_others_to_gather() -> None:
    busy, other, gathering = Work(), Work(), Gathering(0.05)
    one = Batcher(busy, max_weight=100, gathering=gathering)
    doing = [*await given(one, 1)]
    await asyncio.sleep(0.06)
    doing += await given(one, 2)
    await asyncio.sleep(0.06)
    other.open.set()
    doing += await given(Batcher(other, max_weight=100, gathering=gathering), 3)
    assert (busy.begun, other.begun) == ([[1]], [])
    busy.open.set()
    await asyncio.sleep(0.002)
    assert (busy.begun, other.begun) == ([[1], [2]], [])
    assert await asyncio.gather(*doing) == [2, 4, 6]
    assert other.begun == [[3]]


async def test_one_that_cannot_begin_keeps_nobody_else_waiting() -> None:
    begun, failures, gathering = asyncio.Event(), [], Gathering(0.001)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def failing() -> None:
        raise ValueError(13)

    gathering.join(gathering.due(), failing)
    gathering.join(gathering.due(), begun.set)
    await asyncio.wait_for(begun.wait(), 5)
    assert [type(failure) for failure in failures] == [ValueError]


async def test_work_for_one_is_done_in_its_context_and_for_several_in_nobodys() -> None:
    caller: ContextVar[int] = ContextVar("caller", default=0)
    seen = []

    async def work(items: Sequence[int]) -> Sequence[int]:
        seen.append(caller.get())
        await asyncio.sleep(0.01)
        return items

    batcher = Batcher(work, max_weight=100)

    async def call(number: int) -> None:
        caller.set(number)
        await batcher.do(number)

    calls = [asyncio.create_task(call(1))]
    await asyncio.sleep(0.002)
    calls += [asyncio.create_task(call(number)) for number in (2, 3)]
    await asyncio.gather(*calls)
    await call(4)
    assert seen == [1, 0, 4]


async def test_a_batch_is_no_heavier_than_it_may_be_but_one_item_always_goes() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=5), 1, 2, 3, 9, 1, 4, 1)
    work.open.set()
    await asyncio.gather(*doing)
    assert work.begun == [[1, 2], [3], [9], [1, 4], [1]]


async def test_so_many_calls_are_under_way_at_once() -> None:
    work = Work()
    batcher = Batcher(work, max_weight=100, at_once=2)
    doing = [task for item in (1, 2, 3, 4) for task in await given(batcher, item)]
    assert work.begun == [[1], [2]]
    work.open.set()
    await asyncio.gather(*doing)
    assert work.begun == [[1], [2], [3, 4]]


async def test_what_fails_fails_for_those_who_shared_it_and_the_next_ones_go_on() -> None:
    work = Work()
    batcher = Batcher(work, max_weight=20)
    doing = [*await given(batcher, 1), *await given(batcher, 13, 5, 6)]
    work.open.set()
    results = await asyncio.gather(*doing, return_exceptions=True)
    assert [type(result) for result in results] == [int, ValueError, ValueError, int]
    assert results[3] == 12


async def test_who_leaves_before_work_begins_is_dropped_and_who_leaves_later_disturbs_nobody() -> None:
    work = Work()
    batcher = Batcher(work, max_weight=100)
    doing = [*await given(batcher, 1), *await given(batcher, 2, 3)]
    doing[0].cancel()
    doing[1].cancel()
    await asyncio.sleep(0)
    work.open.set()
    assert await doing[2] == 6
    assert work.begun == [[1], [3]]


@pytest.mark.parametrize("before", [0, 1])
async def test_a_queue_of_nobody_begins_nothing_and_says_that_it_is_idle(before: int) -> None:
    work, idle = Work(), []
    batcher = Batcher(
        work, max_weight=100, gathering=Gathering(0.02), when_idle=lambda: idle.append(len(work.begun))
    )
    work.open.set()
    for item in range(before):
        await batcher.do(item)
    [gone] = await given(batcher, 2)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.sleep(0.05)
    assert work.begun == [[0]][:before]
    assert idle[-1:] == [before]
