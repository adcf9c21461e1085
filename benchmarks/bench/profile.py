"""What a scan costs under a load: CPU by process, bytes on the bus and on disk. It shows the next bottleneck.

Everything counts until the mesh has settled, so that work put off is paid for by the scans that made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bench import bus, usage
from benchmarks.bench.bus import Bus, States
from benchmarks.mesh import Description

_WRITERS = ("nats", "postgres")
_SAMPLE_SECONDS = 0.25


@dataclass(slots=True)
class Profile:
    """Filled when the load and what it has left to do are over."""

    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    written_bytes: Mapping[str, int] = field(default_factory=dict)
    samples: list[States] = field(default_factory=list)

    def per_scan(self, scans: int) -> Mapping[str, Any]:
        """Write it for bench.json, by scan.

        Raises:
            ValueError: there was none.
        """
        if scans < 1:
            raise ValueError("no scan was accepted, so none has a cost")
        cpu = {name: round(1_000 * spent / scans, 4) for name, spent in self.cpu_seconds.items()}
        return {
            "scans": scans,
            "cpu_s": {name: round(spent, 2) for name, spent in self.cpu_seconds.items()},
            "cpu_ms_per_scan": {**cpu, "total": round(sum(cpu.values()), 4)},
            "bus_per_scan": _bus(self.samples, scans),
            "disk_bytes_per_scan": {name: round(n / scans) for name, n in self.written_bytes.items()},
        }


@asynccontextmanager
async def profiled(description: Description, streams: Bus) -> AsyncIterator[Profile]:
    """Measure what the body, and what it leaves to do, take of the machine."""
    profile = Profile()
    cpu, written = usage.cpu_seconds(description), usage.written_bytes(description, _WRITERS)
    profile.samples.append(await streams.states())
    watching = asyncio.create_task(_watch(streams, profile.samples))
    try:
        yield profile
        await streams.settle()
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    profile.samples.append(await streams.states())
    profile.cpu_seconds = _minus(usage.cpu_seconds(description), cpu)
    after = usage.written_bytes(description, _WRITERS)
    profile.written_bytes = {name: after[name] - written[name] for name in _WRITERS}


async def _watch(streams: Bus, samples: list[States]) -> None:
    while True:
        await asyncio.sleep(_SAMPLE_SECONDS)
        samples.append(await streams.states())


def _minus(after: Mapping[str, float], before: Mapping[str, float]) -> Mapping[str, float]:
    return {name: after[name] - before[name] for name in after}


def _bus(samples: Sequence[States], scans: int) -> Mapping[str, Any]:
    return {
        name: {
            "messages": round(seen.messages / scans, 4),
            "bytes": None if seen.mean_bytes is None else round(seen.mean_bytes * seen.messages / scans, 1),
        }
        for name, seen in bus.traffic(samples).items()
    }
