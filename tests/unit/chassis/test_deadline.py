from __future__ import annotations

import asyncio

import pytest

from services.chassis import deadline


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def test_outside_of_a_call_work_has_its_own_time() -> None:
    assert deadline.remaining() is None
    assert deadline.within(5, margin=1) == pytest.approx(loop_time() + 5, abs=0.5)


async def test_work_ends_with_its_call_less_the_margin() -> None:
    at = deadline.begin(3)
    assert deadline.within(10, margin=0.5) == at - 0.5
    assert deadline.within(1) == pytest.approx(loop_time() + 1, abs=0.5)
    assert deadline.remaining() == pytest.approx(3, abs=0.5)


async def test_a_call_that_is_late_has_less_than_no_time() -> None:
    deadline.begin(-1)
    assert deadline.remaining() < 0
    assert deadline.within(10) < loop_time()


async def test_calls_do_not_share_a_deadline() -> None:
    begun = asyncio.Barrier(2)

    async def call(seconds: float) -> float:
        at = deadline.begin(seconds)
        await begun.wait()
        return deadline.within(100) - at

    assert await asyncio.gather(call(5), call(50)) == [0, 0]
    assert deadline.remaining() is None
