"""Work beside a process's main one."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis import background


async def test_it_lasts_as_long_as_the_body() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with background.running(lambda: None, work()):
        await asyncio.sleep(0)
        assert not ended.is_set()
    assert ended.is_set()


async def test_a_fault_asks_the_body_to_end_and_is_raised_afterwards() -> None:
    asked = asyncio.Event()

    async def work() -> None:
        raise ValueError("at fault")

    with pytest.raises(ExceptionGroup) as caught:
        async with background.running(asked.set, work()):
            await asked.wait()
    assert [str(fault) for fault in caught.value.exceptions] == ["at fault"]


async def test_work_that_just_ends_asks_as_well() -> None:
    asked = asyncio.Event()

    async def work() -> None:
        return

    async with background.running(asked.set, work()):
        await asked.wait()
