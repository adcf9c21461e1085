"""Accepted, recorded, enriched and metered: the highest rate that all of it keeps up with.

The peak is what a short flood takes from its first scan to the last one's line in the ledger. A share of it is reached
when its scans are accepted in time, no stream ever holds more than two seconds of its own inflow, and all are empty
two seconds after the load ends. Then the books of the company are compared: a rate at which a scan is lost is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.bench.attempt import Attempt, highest, reading
from benchmarks.bench.batches import Batches
from benchmarks.bench.lag import Lag, watched
from benchmarks.bench.offer import Load, Overrun, offer, peak
from benchmarks.bench.profile import profiled
from benchmarks.bench.row import Reading
from benchmarks.bench.stage import Stage
from benchmarks.books.audit import audit
from benchmarks.tenants import Company

_SIZE = 100
_CALLERS = 16
_REST_SECONDS = 2.0


class BooksDiffer(Exception):
    """The mesh has lost or doubled scans; no rate means anything then."""


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it, and compare the books.

    Raises:
        BooksDiffer: a scan that was accepted is missing somewhere, or one is there twice.
    """
    company, device = await stage.company("pipeline")
    async with Batches(stage.target, device.api_key, _SIZE) as batches:
        counted = _Counted(batches)
        load = Load(counted.send, _SIZE, _CALLERS)
        top = await _capacity(stage, load, counted)
        tried = await highest(top, lambda rate: _sustained(stage, load, rate))
    stage.profiles["pipeline_rate"] = tried[-1].per_scan()
    await _compare(stage, company, counted.accepted)
    return {"pipeline_rate": reading(top, tried)}


@dataclass(slots=True)
class _Counted:
    """Counts what is accepted in all."""

    batches: Batches
    accepted: int = 0

    async def send(self) -> int:
        accepted = await self.batches.send()
        self.accepted += accepted
        return accepted


async def _capacity(stage: Stage, load: Load, counted: _Counted) -> float:
    """Answer the scans a second of a flood, the time counted until nothing is left to do."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await peak(load, stage.extent.probe)
    await stage.streams.settle()
    return counted.accepted / (loop.time() - start)


async def _sustained(stage: Stage, load: Load, rate: float) -> Attempt:
    loop = asyncio.get_running_loop()
    async with profiled(stage.description, stage.streams) as profile:
        async with watched(stage.streams) as lag:
            offered = await offer(_broken_off(load, lag), rate, stage.extent.sustained)
        ended = loop.time()
        await stage.streams.settle()
    rest = loop.time() - ended
    late = f"the rest took {rest:.1f} s" if rest > _REST_SECONDS else ""
    return Attempt(offered, profile, lag.trouble or late)


def _broken_off(load: Load, lag: Lag) -> Load:
    """Answer the load, broken off as soon as a stream lags."""

    async def send() -> int:
        if lag.trouble:
            raise Overrun
        return await load.send()

    return replace(load, send=send)


async def _compare(stage: Stage, company: Company, accepted: int) -> None:
    report = await audit(stage.description, companies=[company.id])
    metered = await company.usage()
    problems = list(report.differences)
    if metered < accepted:
        problems.append(f"company {company.id}: {accepted} scans were accepted, {metered} are metered")
    if problems:
        raise BooksDiffer("\n".join(["after the load of pipeline_rate:", *problems]))
