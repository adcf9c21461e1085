"""A quick look at how many scans a running mesh accepts: `python -m benchmarks.load [SECONDS]`.

Closed loop: so many callers, each waiting for its answer before it calls again. That finds the peak; it says nothing
about latency under a given load, which an open-loop run has to measure. The load generator shares the machine with
the mesh, so it costs as little as it can: HTTP/1.1 by hand over kept connections, one prepared batch by gRPC.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
import uvloop
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from deploy.local import settings
from services.chassis.ids import uuid7

_SINGLE_CALLERS = 64
_BATCH_CALLERS = 8
_BATCH = 100
_BARCODE = "4006381333931"

Once = Callable[[], Awaitable[int]]
"""One call; answers how many scans it got accepted."""


async def _http_caller(edge: str, api_key: str) -> Once:
    address = urlsplit(edge)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)

    async def once() -> int:
        body = json.dumps({"scanId": str(uuid7()), "barcode": {"data": _BARCODE}})
        writer.write(
            f"POST /v1/scans HTTP/1.1\r\nhost: {address.netloc}\r\nx-api-key: {api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        return 1

    return once


def _grpc_caller(channel: grpc.aio.Channel, api_key: str) -> Once:
    stub: Any = ingest_pb2_grpc.IngestServiceStub(channel)  # the sync and the aio stub are one class

    async def once() -> int:
        scans = [
            scan_pb2.Scan(scan_id=str(uuid7()), barcode=scan_pb2.Barcode(data=_BARCODE))
            for _ in range(_BATCH)
        ]
        request = ingest_pb2.SubmitScansRequest(scans=scans)
        answer = await stub.SubmitScans(request, metadata=(("x-api-key", api_key),))
        return int(answer.accepted_count)

    return once


async def _measure(what: str, callers: list[Once], seconds: float) -> None:
    accepted = 0
    latencies: list[float] = []
    start = time.perf_counter()

    async def loop(once: Once) -> None:
        nonlocal accepted
        while (began := time.perf_counter()) < start + seconds:
            got = await once()
            accepted += got
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*map(loop, callers))
    rate = accepted / (time.perf_counter() - start)
    p50, p99 = (statistics.quantiles(latencies, n=100)[at] * 1000 for at in (49, 98))
    print(f"{what}: {rate:.0f} scans/s accepted, {len(callers)} callers, p50 {p50:.0f} ms, p99 {p99:.0f} ms")  # noqa: T201


async def _run(seconds: float) -> None:
    mesh = json.loads((settings.load(os.environ).home / "mesh.json").read_text())
    edge, api_key = mesh["edge"]["http"], mesh["demo"]["api_key"]
    singles = [await _http_caller(edge, api_key) for _ in range(_SINGLE_CALLERS)]
    await _measure("single scans, HTTP/JSON", singles, seconds)
    async with grpc.aio.insecure_channel(urlsplit(edge).netloc) as channel:
        batches = [_grpc_caller(channel, api_key) for _ in range(_BATCH_CALLERS)]
        await _measure(f"batches of {_BATCH}, gRPC", batches, seconds)


if __name__ == "__main__":
    uvloop.run(_run(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
