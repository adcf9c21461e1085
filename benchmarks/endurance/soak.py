"""`make soak`: twenty minutes at 60 % of what the mesh takes, in which nothing may grow but the scans themselves.

0: nothing did, the load was taken whole, and the books agree.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from benchmarks.bench import machine
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import offer
from benchmarks.bench.stage import Stage
from benchmarks.endurance.ground import prepared
from benchmarks.endurance.samples import KEEPS_SCANS, Sample, growing, look, slope
from benchmarks.mesh import BUILD, own
from deploy.local.mesh import Mesh

_SECONDS = 1_200.0
_SHARE = 0.6
_SAMPLES = 120
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """build/soak.json."""

    commit: str
    capacity: float
    """Scans a second, in a short flood."""
    rate: float
    seconds: float
    accepted: int
    p99_ms: float
    whole: bool
    """Whether every scan was accepted, in time."""
    memory_mb_per_hour: dict[str, float]
    bytes_per_scan: dict[str, float]
    """On disk, by the tables that keep scans."""
    growing: tuple[str, ...]
    differences: tuple[str, ...]
    samples: tuple[Sample, ...]


def main(arguments: Sequence[str]) -> int:
    """Run and report; answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of load (1200)")
    parser.add_argument("--report", type=Path, default=BUILD / "soak.json", help="the file it writes")
    asked = parser.parse_args(arguments)
    with own() as mesh:
        found = uvloop.run(_run(mesh, asked.seconds))
    asked.report.write_text(json.dumps(asdict(found), indent=1) + "\n")
    print(f"{found.accepted} scans in {found.seconds:.0f} s, {found.rate:.0f}/s, p99 {found.p99_ms:.0f} ms")
    for name, per_hour in found.memory_mb_per_hour.items():
        last = found.samples[-1].memory[name] / _MB
        print(f"  {name:<20} {last:7.1f} MB, {per_hour:+7.1f} MB an hour")
    print(
        "  bytes on disk for each scan:",
        *(f"{each} {size:.0f}" for each, size in found.bytes_per_scan.items()),
    )
    trouble = (
        *found.growing,
        *found.differences,
        *(() if found.whole else ("the load was not taken whole",)),
    )
    print(*trouble, f"report: {asked.report}", sep="\n")
    return 1 if trouble else 0


async def _run(mesh: Mesh, seconds: float) -> Report:
    async with prepared(mesh) as ground:
        rate = _SHARE * ground.capacity
        sampling = asyncio.create_task(_sampled(ground.stage, seconds))
        offered = await offer(ground.load, rate, seconds)
        samples = await sampling
        return Report(
            commit=machine.commit(),
            capacity=ground.capacity,
            rate=rate,
            seconds=seconds,
            accepted=offered.accepted,
            p99_ms=p99_ms(offered.latencies),
            whole=offered.whole,
            memory_mb_per_hour={name: slope(samples, "memory", name) / _MB for name in samples[-1].memory},
            bytes_per_scan={
                name: (samples[-1].tables[name] - samples[0].tables[name]) / offered.accepted
                for name in sorted(KEEPS_SCANS)
            },
            growing=tuple(growing(samples)),
            differences=await ground.differences(),
            samples=tuple(samples),
        )


async def _sampled(stage: Stage, seconds: float) -> list[Sample]:
    loop = asyncio.get_running_loop()
    start, samples = loop.time(), []
    while loop.time() - start < seconds:
        samples.append(await look(stage, loop.time() - start))
        await asyncio.sleep(seconds / _SAMPLES)
    return samples


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
