"""Spend on ratelimit's own port, as ingest calls it: one call for each request, 200 a second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from scanmesh.ratelimit.v1 import ratelimit_pb2, ratelimit_pb2_grpc

from benchmarks.bench.latency import p99_ms
from benchmarks.bench.pulse import spans
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.stage import Stage
from benchmarks.scan import new_id
from benchmarks.tenants import Device

_PER_SECOND = 200
_WARM_UP = 100
_CALL_SECONDS = 0.25  # no caller waits longer


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it, over ten scanners."""
    company, _ = await stage.company("spend")
    devices = [await company.scanner() for _ in range(10)]
    requests = [_request(devices[number % len(devices)]) for number in range(_calls(stage) + _WARM_UP)]
    async with grpc.aio.insecure_channel(stage.description["services"]["ratelimit"][0]) as channel:
        stub: Any = ratelimit_pb2_grpc.RateLimitServiceStub(channel)

        async def spend(number: int) -> bool:
            try:
                answer = await stub.Spend(requests[number], timeout=_CALL_SECONDS)
            except (
                grpc.aio.AioRpcError
            ):  # Valkey did not answer in time: ingest would go by buckets of its own
                return False
            return bool(answer.granted == 1)

        taken = (await spans(_PER_SECOND, len(requests), spend))[_WARM_UP:]
    return {"spend_p99_ms": _reading(taken)}


def _reading(taken: Sequence[float]) -> Reading:
    note = f"{len(taken)} calls, {_PER_SECOND}/s, {taken.count(math.inf)} not answered"
    slowest = p99_ms(taken)
    return Reading(slowest, note=note) if slowest < math.inf else Reading(None, NOT_REACHED, note)


def _calls(stage: Stage) -> int:
    return round(stage.extent.latency * _PER_SECOND)


def _request(device: Device) -> ratelimit_pb2.SpendRequest:
    return ratelimit_pb2.SpendRequest(
        spend_id=new_id(),
        company_id=device.company_id,
        scanner_id=device.scanner_id,
        region="local",
        cost=1,
        scanner_type="fixed",
    )
