"""Batches of 100 over gRPC through Envoy: the highest rate that is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.bench.attempt import highest, offer_once, profiles, reading
from benchmarks.bench.batches import Batches
from benchmarks.bench.offer import Load, peak
from benchmarks.bench.row import Reading
from benchmarks.bench.stage import Stage

_SIZE = 100
_CALLERS = 16


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it; what comes after acceptance may lag behind here."""
    _, device = await stage.company("batches")
    async with Batches(stage.target, [device.api_key], _SIZE) as batches:
        load = Load(batches.send, _SIZE, _CALLERS)
        top = await peak(load, stage.extent.probe)
        await stage.streams.settle()
        tried = await highest(top, stage.extent.moment, stage.extent.rate, partial(offer_once, stage, load))
    stage.profiles.update(profiles("grpc_batch_rate", tried))
    return {"grpc_batch_rate": reading(top, tried, batches.failures)}
