"""Companies with one scanner each, all of which send equally much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from benchmarks.scale.cell import Cell, measured
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.ground import Ground
from benchmarks.tenants import Device

_AT_ONCE = 8


async def cells(ground: Ground) -> AsyncIterator[Cell]:
    """Make companies as they are needed, through the API."""
    devices = [ground.device]
    for count in ground.extent.companies:
        devices += await _made(ground, count - len(devices))
        yield await measured(ground, f"{count} companies", Crowd(devices))


async def _made(ground: Ground, count: int) -> list[Device]:
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def make() -> Device:
        async with at_once:
            company = await ground.stage.platform.company("enterprise")
            return await company.scanner()

    return await asyncio.gather(*(make() for _ in range(count)))
