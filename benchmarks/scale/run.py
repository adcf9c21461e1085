"""One run over the axes, on three meshes; base cells are measured around each axis, on whichever mesh is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.mesh import own
from benchmarks.scale.axes import companies, events, replicas, scanners
from benchmarks.scale.axis import Axis
from benchmarks.scale.cell import Cell, measured
from benchmarks.scale.extent import Extent
from benchmarks.scale.ground import ENVIRONMENT, Ground, prepared
from deploy.local.mesh import Mesh


@dataclass(frozen=True, slots=True)
class _OnRecord:
    """The mesh that is filled with scans."""

    base: Cell
    scattered: Cell
    cells: Sequence[Cell]
    scattered_among: Cell


@dataclass(frozen=True, slots=True)
class _Grown:
    """The mesh that gets companies and scanners."""

    bases: Sequence[Cell]
    """Before, between and after."""
    companies: Sequence[Cell]
    scanners: Sequence[Cell]


def run(extent: Extent) -> list[Axis]:
    """Measure all axes.

    Raises:
        MeshError: a mesh does not start.
    """
    with own(environment=ENVIRONMENT) as mesh:
        recorded = uvloop.run(_record(mesh, extent))
    with own(environment=ENVIRONMENT, replicas=2) as mesh:
        pair = uvloop.run(_pair(mesh, extent))
    with own(environment=ENVIRONMENT) as mesh:
        grown = uvloop.run(_grow(mesh, extent))
    before, between, after = grown.bases
    around = [recorded.base, before]
    return [
        Axis("companies", [before, between], grown.companies),
        Axis("scanners of a company", [between, after], grown.scanners),
        Axis("scans on record", around, recorded.cells),
        Axis("ids, nothing on record", around, [recorded.scattered]),
        Axis("ids, the most on record", [recorded.cells[-1]], [recorded.scattered_among]),
        Axis("replicas", around, [pair]),
    ]


async def _record(mesh: Mesh, extent: Extent) -> _OnRecord:
    async with prepared(mesh, extent) as ground:
        base, scattered = await _base(ground), await events.scattered_ids(ground)
        most = await events.most(ground)
        recorded = [cell async for cell in events.cells(ground, most)]
        return _OnRecord(base, scattered, recorded, await events.scattered_among(ground, most))


async def _pair(mesh: Mesh, extent: Extent) -> Cell:
    async with prepared(mesh, extent) as ground:
        return await replicas.cell(ground)


async def _grow(mesh: Mesh, extent: Extent) -> _Grown:
    async with prepared(mesh, extent) as ground:
        before = await _base(ground)
        more_companies = [cell async for cell in companies.cells(ground)]
        between = await _base(ground)
        more_scanners = [cell async for cell in scanners.cells(ground)]
        return _Grown([before, between, await _base(ground)], more_companies, more_scanners)


async def _base(ground: Ground) -> Cell:
    return await measured(ground, "1 of each, none on record", ground.one)
