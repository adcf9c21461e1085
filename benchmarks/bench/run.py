"""One run over the rows: the small spans first, while the mesh is fresh, then the loads that fill its tables."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop

from benchmarks import mesh
from benchmarks.bench import settings
from benchmarks.bench.row import Reading
from benchmarks.bench.rows import (
    batches,
    enriched,
    identity,
    isolation,
    pipeline,
    revocation,
    singles,
    spend,
    start,
)
from benchmarks.bench.stage import Extent, Stage, entered
from deploy.local.mesh import Mesh

Measure = Callable[[Stage], Awaitable[Mapping[str, Reading]]]

Measures = Mapping[tuple[str, ...], Measure]
"""By the ids of the rows that are measured together."""
_ROWS: Mapping[int, Measures] = {
    1: {
        ("cold_start_s",): start.cold,
        ("idle_pss_mb",): start.idle,
        ("spend_p99_ms",): spend.measure,
        ("identity_memory_p99_ms", "identity_valkey_p99_ms"): identity.measure,
        ("enriched_p99_ms",): enriched.measure,
        ("lane_isolation_ratio",): isolation.measure,
        ("http_single_rate", "http_single_p99_ms"): singles.measure,
        ("grpc_batch_rate",): batches.measure,
        ("pipeline_rate",): pipeline.measure,
    },
    2: {("revocation_p99_ms",): revocation.measure},
}
"""By the replicas of each service in the mesh that they need."""


@dataclass(slots=True)
class Run:
    """What one run has found."""

    readings: dict[str, Reading] = field(default_factory=dict)
    profiles: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    """The servers that are not ours: version and settings."""


def run(wanted: Collection[str], extent: Extent) -> Run:
    """Measure the rows that are wanted, on meshes of their own; one that cannot be measured is marked as failed.

    Raises:
        MeshError: a mesh does not start.
    """
    found = Run()
    for replicas, rows in _ROWS.items():
        measures = {ids: measure for ids, measure in rows.items() if set(ids).intersection(wanted)}
        if measures:
            began = time.monotonic()
            with mesh.own(replicas=replicas) as running:
                uvloop.run(_measure(found, running, began, extent, measures))
    found.readings = {row: found.readings[row] for row in wanted}
    return found


async def _measure(found: Run, running: Mesh, began: float, extent: Extent, measures: Measures) -> None:
    async with entered(running, began, extent) as stage:
        for ids, measure in measures.items():
            readings = await _attempted(ids, measure, stage)
            found.readings |= readings
            for row, reading in readings.items():
                value = reading.reason if reading.value is None else f"{reading.value:.4g}"
                print(f"{row}: {value} ({reading.note})", flush=True)
        found.profiles |= stage.profiles
        found.limits |= stage.limits
        parts = await settings.read(stage.description)
        found.parts |= {name: asdict(part) for name, part in parts.items()}


async def _attempted(ids: Sequence[str], measure: Measure, stage: Stage) -> Mapping[str, Reading]:
    """Measure rows; what goes wrong is theirs alone, and makes the whole bench end as failed."""
    try:
        return await measure(stage)
    except Exception as error:  # noqa: BLE001 - whatever it is, the report names it and the other rows go on
        traceback.print_exc()
        return dict.fromkeys(ids, Reading(None, f"failed: {error!r}", failed=True))
