"""Scanners of one company, all of which send equally much; of the most, at first sight as well.

Of more scanners than a cell has calls a random sample sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from benchmarks.scale.cell import Cell, measured
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.ground import Ground
from benchmarks.scale.registry import Registry


async def cells(ground: Ground) -> AsyncIterator[Cell]:
    """Load scanners as they are needed."""
    registry = Registry(ground, await ground.stage.platform.company("enterprise"))
    for count in ground.extent.scanners:
        known = len(registry.devices)
        await registry.grow(count)
        if count == max(ground.extent.scanners):
            unseen = Crowd(registry.devices[known:], seen=False)
            yield await measured(ground, f"{count} scanners, unseen", unseen)
        yield await measured(ground, f"{count} scanners", Crowd(registry.devices))
