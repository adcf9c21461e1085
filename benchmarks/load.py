"""A quick look at how many scans a running mesh accepts: `python -m benchmarks.load [SECONDS]`.

Closed loop: so many callers, each waiting for its answer before it calls again. That finds the peak; it says nothing
about latency under a given load, which an open-loop run has to measure. The load generator shares the machine with
the mesh, so it costs as little as it can: HTTP/1.1 by hand over kept connections, batches by gRPC.

After the batches it tells how many scans had been recorded, enriched and billed when the last one was accepted, and
how long the rest then took.
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

from benchmarks.company import Books, Company
from deploy.local import settings
from services.chassis.ids import uuid7

_SINGLE_CALLERS = 64
_BATCH_CALLERS = 8
_BATCH = 100
_BARCODE = "4006381333931"
_LOOK_SECONDS = 0.2

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


async def _measure(what: str, callers: list[Once], seconds: float) -> int:
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
    return accepted


async def _follow(company: Company, accepted: int, before: Books, seconds: float) -> None:
    """Tell what had become of the scans when the last one was accepted, and wait for the rest."""
    start = time.perf_counter()
    books = await asyncio.to_thread(company.books)
    for name in ("recorded", "enriched", "billed"):
        count = getattr(books, name) - getattr(before, name)
        print(f"  {name} by then: {count} of {accepted}, {count / seconds:.0f} scans/s")  # noqa: T201
    while min(books.recorded, books.enriched, books.billed) < before.billed + accepted:
        await asyncio.sleep(_LOOK_SECONDS)
        books = await asyncio.to_thread(company.books)
    print(f"  the rest took {time.perf_counter() - start:.1f} s")  # noqa: T201
    if max(books.recorded, books.enriched, books.billed) > before.billed + accepted:
        raise RuntimeError(f"more than was accepted is in the books: {books}")


async def _run(seconds: float) -> None:
    mesh = json.loads((settings.load(os.environ).home / "mesh.json").read_text())
    edge = mesh["edge"]["http"]
    company = Company(edge, mesh["demo"]["platform_admin"])
    api_key = company.api_key
    singles = [await _http_caller(edge, api_key) for _ in range(_SINGLE_CALLERS)]
    accepted = await _measure("single scans, HTTP/JSON", singles, seconds)
    await _follow(company, accepted, Books(0, 0, 0), seconds)
    async with grpc.aio.insecure_channel(urlsplit(edge).netloc) as channel:
        batches = [_grpc_caller(channel, api_key) for _ in range(_BATCH_CALLERS)]
        before = company.books()
        accepted = await _measure(f"batches of {_BATCH}, gRPC", batches, seconds)
        await _follow(company, accepted, before, seconds)


if __name__ == "__main__":
    uvloop.run(_run(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
