from __future__ import annotations

import asyncio

import pytest

from services.ingest import errands
from services.ingest.errands import Errands


async def test_an_errand_is_seen_through_when_whoever_waits_for_it_is_cancelled() -> None:
    opened, done = asyncio.Event(), []

    async def work() -> None:
        await opened.wait()
        done.append(True)

    async def caller(begun: Errands) -> None:
        await asyncio.shield(begun.begin(work()))

    async with errands.running() as begun:
        call = asyncio.create_task(caller(begun))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert (call.cancelled(), done) == (True, [])
        opened.set()
    assert done == [True]


async def test_leaving_waits_also_for_what_an_errand_begins() -> None:
    done = []

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first(begun: Errands) -> None:
        await asyncio.sleep(0)
        begun.begin(second())
        done.append("first")

    async with errands.running() as begun:
        begun.begin(first(begun))
    assert done == ["first", "second"]


async def test_leaving_waits_also_for_what_fails() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a fault")

    async with errands.running() as begun:
        task = begun.begin(fail())
    with pytest.raises(RuntimeError, match="a fault"):
        await task
