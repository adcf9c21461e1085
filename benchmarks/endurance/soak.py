"""`make soak`: twenty minutes at 60 % of what the mesh takes, in which nothing may grow but the scans themselves.

0: nothing did, the load was taken whole, and the books agree.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.bench import machine
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import offer
from benchmarks.bench.stage import Stage
from benchmarks.endurance import command
from benchmarks.endurance.ground import prepared
from benchmarks.endurance.samples import KEEPS_SCANS, Sample, growing, look, slope
from deploy.local.mesh import Mesh

_SECONDS = 1_200.0
_SHARE = 0.6
_SAMPLES = 120
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak(command.Report):
    """build/soak.json."""

    rate: float
    seconds: float
    accepted: int
    p99_ms: float
    memory_mb_per_hour: dict[str, float]
    bytes_per_scan: dict[str, float]
    """On disk, by the tables that keep scans."""
    samples: tuple[Sample, ...]


def _lines(found: Soak) -> Iterator[str]:
    yield f"{found.accepted} scans in {found.seconds:.0f} s, {found.rate:.0f}/s, p99 {found.p99_ms:.0f} ms"
    for name, per_hour in found.memory_mb_per_hour.items():
        yield f"  {name:<20} {found.samples[-1].memory[name] / _MB:7.1f} MB, {per_hour:+7.1f} MB an hour"
    sizes = ", ".join(f"{each} {size:.0f}" for each, size in found.bytes_per_scan.items())
    yield f"  bytes on disk for each scan: {sizes}"


async def _run(mesh: Mesh, seconds: float) -> Soak:
    async with prepared(mesh) as ground:
        rate = _SHARE * ground.capacity
        over = asyncio.Event()
        async with asyncio.TaskGroup() as beside:
            sampling = beside.create_task(_sampled(ground.stage, seconds / _SAMPLES, over))
            offered = await offer(ground.load, rate, seconds)
            over.set()
        samples = sampling.result()
        return Soak(
            commit=machine.commit(),
            capacity=ground.capacity,
            rate=rate,
            seconds=seconds,
            accepted=offered.accepted,
            p99_ms=p99_ms(offered.latencies),
            memory_mb_per_hour={name: slope(samples, "memory", name) / _MB for name in samples[-1].memory},
            bytes_per_scan={
                name: (samples[-1].tables[name] - samples[0].tables[name]) / max(1, offered.accepted)
                for name in sorted(KEEPS_SCANS)
            },
            trouble=(
                *growing(samples),
                *(() if offered.whole else (f"the load was not taken whole: {offered}",)),
                *await ground.differences(),
            ),
            samples=tuple(samples),
        )


async def _sampled(stage: Stage, every_seconds: float, over: asyncio.Event) -> list[Sample]:
    """Look once, and again and again until the load is over, which may have been broken off."""
    loop = asyncio.get_running_loop()
    start, samples = loop.time(), []
    while True:
        samples.append(await look(stage, loop.time() - start))
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), every_seconds)
            return samples


if __name__ == "__main__":
    sys.exit(command.run(sys.argv[1:], "soak", _SECONDS, _run, _lines))
