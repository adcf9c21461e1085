from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis.batcher import Batcher


class Work:
    """Doubles numbers, when it may."""

    def __init__(self) -> None:
        self.begun: list[list[int]] = []
        self.open = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.begun.append(list(items))
        await self.open.wait()
        if 13 in items:
            raise ValueError(13)
        return [2 * item for item in items]


async def given(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    doing = [asyncio.create_task(batcher.do(item, item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return doing


async def test_what_comes_meanwhile_goes_together_and_each_gets_its_own_result() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=100), 1, 2, 3, 4)
    assert work.begun == [[1]]
    work.open.set()
    assert await asyncio.gather(*doing) == [2, 4, 6, 8]
    assert work.begun == [[1], [2, 3, 4]]


async def test_a_batch_is_no_heavier_than_it_may_be_but_one_item_always_goes() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=5), 1, 2, 3, 9, 1, 4, 1)
    work.open.set()
    await asyncio.gather(*doing)
    assert work.begun == [[1], [2, 3], [9], [1, 4], [1]]


async def test_so_many_calls_are_under_way_at_once() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=100, at_once=2), 1, 2, 3, 4)
    assert work.begun == [[1], [2]]
    work.open.set()
    await asyncio.gather(*doing)
    assert work.begun == [[1], [2], [3, 4]]


async def test_what_fails_fails_for_those_who_shared_it_and_the_next_ones_go_on() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=20), 1, 13, 5, 6)
    work.open.set()
    results = await asyncio.gather(*doing, return_exceptions=True)
    assert [type(result) for result in results] == [int, ValueError, ValueError, int]
    assert results[3] == 12


async def test_who_leaves_before_work_begins_is_dropped_and_who_leaves_later_disturbs_nobody() -> None:
    work = Work()
    doing = await given(Batcher(work, max_weight=100), 1, 2, 3)
    doing[0].cancel()
    doing[1].cancel()
    await asyncio.sleep(0)
    work.open.set()
    assert await doing[2] == 6
    assert work.begun == [[1], [3]]


async def test_a_queue_of_nobody_begins_nothing() -> None:
    work, idle = Work(), []
    batcher = Batcher(work, max_weight=100, when_idle=lambda: idle.append(len(work.begun)))
    doing = await given(batcher, 1, 2)
    doing[1].cancel()
    await asyncio.sleep(0)
    work.open.set()
    await doing[0]
    with pytest.raises(asyncio.CancelledError):
        await doing[1]
    await asyncio.sleep(0)
    assert (work.begun, idle) == ([[1]], [1])
