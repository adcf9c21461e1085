"""`python -m benchmarks.priorities`: what it is worth who goes first (deploy/local/priority.py), as root.

One mesh, whose processes are changed to and fro between loads, for machines have faster and slower hours. Each round
offers singles at 60 % of the peak and then finds the peak again, once in each order of going first; told are the medians
of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import Load, offer, peak
from benchmarks.bench.singles import Singles
from benchmarks.bench.stage import FULL, Stage, entered
from benchmarks.bench.usage import trees
from benchmarks.mesh import Description, own
from deploy.local.mesh import Mesh
from deploy.local.priority import BEHIND
from deploy.local.roster import WORKERS

_CALLERS = 64
_SHARE = 0.6
_SECONDS = 8.0
_PAUSE_SECONDS = 0.2
"""After a change of a session's value, of which the kernel takes one in 0.1 s."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who goes first."""

    front: int
    """Policy of what devices wait for, and of the stores."""
    workers: int
    """Policy of the workers."""
    behind: int
    """Nice value of the workers and their sessions."""
    generator: int = os.SCHED_BATCH


ORDERS: Mapping[str, Order] = {
    "as it is": Order(os.SCHED_BATCH, os.SCHED_BATCH, BEHIND),
    "only workers interrupt nobody": Order(os.SCHED_OTHER, os.SCHED_BATCH, BEHIND),
    "whoever wakes up interrupts": Order(os.SCHED_OTHER, os.SCHED_OTHER, BEHIND, os.SCHED_OTHER),
    "and workers are like all others": Order(os.SCHED_OTHER, os.SCHED_OTHER, 0, os.SCHED_OTHER),
}


async def measure(stage: Stage, rounds: int) -> Iterator[str]:
    """Answer the lines of a table."""
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    _, device = await stage.company("singles")
    async with Singles(stage.edge, [device.api_key], connections=2 * _CALLERS) as singles:
        load = Load(singles.send, 1, _CALLERS)
        rate = _SHARE * await peak(load, stage.extent.probe)
        for _ in range(rounds):
            for name, order in ORDERS.items():
                await _put(stage.description, order)
                await stage.streams.settle()
                offered = await offer(load, rate, _SECONDS)
                await stage.streams.settle()
                seen[name].append((p99_ms(offered.latencies), await peak(load, _SECONDS)))
    return (
        f"{name:<34} p99 {median(p99 for p99, _ in pairs):5.1f} ms at {rate:.0f}/s, "
        f"peak {median(top for _, top in pairs):5.0f}/s    "
        f"{', '.join(f'{p99:.0f} {top:.0f}' for p99, top in pairs)}"
        for name, pairs in seen.items()
    )


async def _put(description: Description, order: Order) -> None:
    for thread in _threads(os.getpid()):
        os.sched_setscheduler(thread, order.generator, os.sched_param(0))
    for process, pids in trees(description).items():
        worker = process in WORKERS
        for pid in pids:
            with suppress(
                FileNotFoundError, ProcessLookupError
            ):  # a connection of PostgreSQL's has just ended
                for thread in _threads(pid):
                    os.sched_setscheduler(thread, order.workers if worker else order.front, os.sched_param(0))
                    if worker:
                        os.setpriority(os.PRIO_PROCESS, thread, order.behind)
            if worker:
                Path(f"/proc/{pid}/autogroup").write_text(str(order.behind))
                await asyncio.sleep(_PAUSE_SECONDS)


def _threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


async def _run(mesh: Mesh, rounds: int) -> None:
    async with entered(mesh, time.monotonic(), FULL) as stage:
        print(*await measure(stage, rounds), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priorities", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with own() as running:
        uvloop.run(_run(running, asked.rounds))
