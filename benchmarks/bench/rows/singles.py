"""Single scans, HTTP/JSON through Envoy: the highest rate, and the latency at 60 % of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from benchmarks.bench.attempt import highest, offer_once, profiles, reading
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import Load, offer, peak
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.singles import Singles
from benchmarks.bench.stage import Stage

_CALLERS = 64
_SHARE = 0.6


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure both; without a rate that was reached there is no latency."""
    _, device = await stage.company("singles")
    async with Singles(stage.edge, [device.api_key], connections=2 * _CALLERS) as singles:
        load = Load(singles.send, 1, _CALLERS)
        top = await peak(load, stage.extent.probe)
        await stage.streams.settle()
        tried = await highest(top, stage.extent.moment, stage.extent.rate, partial(offer_once, stage, load))
        rate = reading(top, tried, singles.failures)
        stage.profiles.update(profiles("http_single_rate", tried))
        if rate.value is None:
            return {"http_single_rate": rate, "http_single_p99_ms": Reading(None, NOT_REACHED, rate.note)}
        return {"http_single_rate": rate, "http_single_p99_ms": await _latency(stage, load, rate.value)}


async def _latency(stage: Stage, load: Load, rate: float) -> Reading:
    await stage.streams.settle()
    offered = await offer(load, _SHARE * rate, stage.extent.latency)
    slowest = p99_ms(offered.latencies)
    if not offered.reached or slowest == math.inf:
        return Reading(None, NOT_REACHED, str(offered))
    return Reading(slowest, note=str(offered))
