"""Two replicas of every service and worker beside one: the same load, and the same machine."""

from __future__ import annotations

from benchmarks.scale.cell import Cell, measured
from benchmarks.scale.ground import Ground


async def cell(ground: Ground) -> Cell:
    """Measure at a mesh that has two."""
    return await measured(ground, "2 replicas", ground.one)
