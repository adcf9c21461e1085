"""Accepted, recorded, enriched and metered: the highest rate that all of it keeps up with.

The peak is what a short flood takes from its first scan to the last one's line in the ledger. A share of it is reached
when its scans are accepted in time, no stream ever holds more than two seconds of its own inflow, and all are empty
two seconds after the load ends. Then the books are compared, the client's among them: a rate at which a scan is lost is
none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from benchmarks.bench.attempt import Attempt, highest, profiles, reading
from benchmarks.bench.batches import Batches
from benchmarks.bench.capacity import capacity
from benchmarks.bench.lag import Lag, watched
from benchmarks.bench.offer import Load, Overrun, offer
from benchmarks.bench.profile import profiled
from benchmarks.bench.row import Reading
from benchmarks.bench.stage import Stage
from benchmarks.books.audit import audit
from benchmarks.books.claims import Claims
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
    async with Batches(stage.target, [device.api_key], _SIZE) as batches:
        load = Load(batches.send, _SIZE, _CALLERS)
        top = await capacity(stage, load, company, stage.extent.probe)
        tried = await highest(
            top, stage.extent.moment, stage.extent.sustained, partial(_sustained, stage, load)
        )
    stage.profiles.update(profiles("pipeline_rate", tried))
    await _compare(stage, batches.claims(company.id), company)
    return {"pipeline_rate": reading(top, tried, batches.failures)}


async def _sustained(stage: Stage, load: Load, rate: float, seconds: float) -> Attempt:
    loop = asyncio.get_running_loop()
    async with profiled(stage.description, stage.streams) as profile:
        async with watched(stage.streams) as lag:
            offered = await offer(_broken_off(load, lag), rate, seconds)
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


async def _compare(stage: Stage, claims: Claims, company: Company) -> None:
    report = await audit(stage.description, companies=[company.id], claims=claims)
    if report.differences:
        raise BooksDiffer("\n".join(["after the load of pipeline_rate:", *report.differences]))
