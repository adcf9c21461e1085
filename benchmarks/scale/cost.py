"""What a scan costs: counters that are read before a load, and when it has been enriched and metered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benchmarks.bench.attempt import Attempt
from benchmarks.bench.checks import lookups
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.usage import GENERATOR
from benchmarks.scale.ground import Ground


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one scan, under one load."""

    scans: int
    p99_ms: float
    """From when a call was due to its answer: shows a mesh, or a machine, that is short of breath."""
    cpu_ms: float
    """Of all processes of the mesh."""
    idle_ms: float
    """Of these, what the mesh takes when nothing is offered."""
    cpu_ms_by_process: Mapping[str, float]
    wal_bytes: float
    stored_bytes: float
    """By which the database has grown."""
    written_bytes: Mapping[str, float]
    """To disk, by server."""
    lookups: Mapping[str, int]
    """Credentials of all calls, by the tier of auth that answered for them."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What only grows, at one moment."""

    metered: int
    """Scans in the ledger."""
    wal_bytes: int
    stored_bytes: int
    lookups: Mapping[str, int]


async def counters(ground: Ground, companies: Collection[int]) -> Counters:
    """Read them; what is metered, of some companies."""
    return Counters(
        metered=await ground.store.metered(companies),
        wal_bytes=await ground.store.wal_bytes(),
        stored_bytes=await ground.store.stored_bytes(),
        lookups=await lookups(ground.stage.description),
    )


def cost(attempt: Attempt, before: Counters, after: Counters, idle_ms: float) -> Cost:
    """Answer what each of the scans has cost that were metered in between."""
    scans = after.metered - before.metered
    by_process = {
        name: 1_000 * seconds / scans
        for name, seconds in attempt.profile.cpu_seconds.items()
        if name != GENERATOR
    }
    return Cost(
        scans=scans,
        p99_ms=p99_ms(attempt.offered.latencies),
        cpu_ms=sum(by_process.values()),
        idle_ms=idle_ms,
        cpu_ms_by_process=by_process,
        wal_bytes=(after.wal_bytes - before.wal_bytes) / scans,
        stored_bytes=(after.stored_bytes - before.stored_bytes) / scans,
        written_bytes={name: size / scans for name, size in attempt.profile.written_bytes.items()},
        lookups={tier: count - before.lookups[tier] for tier, count in after.lookups.items()},
    )
