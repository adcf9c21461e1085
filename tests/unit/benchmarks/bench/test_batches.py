from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from benchmarks.bench.batches import Batches


class Ingest(ingest_pb2_grpc.IngestServiceServicer):
    """Accepts all of the first batch, all but one scan of the second, is then gone, and does not answer the fourth."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def SubmitScans(self, request: Any, context: Any) -> ingest_pb2.SubmitScansResponse:
        self.batches.append([scan.scan_id for scan in request.scans])
        if len(self.batches) == 4:
            await asyncio.Event().wait()
        if len(self.batches) == 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        refused = len(self.batches) - 1
        rejections = [ingest_pb2.Rejection(reason="RATE_LIMITED")] * refused
        return ingest_pb2.SubmitScansResponse(
            accepted_count=len(request.scans) - refused, rejections=rejections
        )


@asynccontextmanager
async def serving(ingest: Ingest) -> AsyncIterator[str]:
    server = grpc.aio.server()
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(ingest, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_the_book_claims_the_scans_of_whole_batches_and_is_unsure_of_all_others():
    ingest = Ingest()
    async with serving(ingest) as target, Batches(target, ["key"], 3) as batches:
        assert [await batches.send() for _ in range(3)] == [3, 2, 0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await batches.send()
        claims = batches.claims(7)
    whole, *others = ingest.batches
    assert claims.accepted == {(7, scan_id) for scan_id in whole}
    assert claims.unknown == {(7, scan_id) for batch in others for scan_id in batch}
    assert not claims.refused
    assert batches.failures == {"RATE_LIMITED": 1, "UNAVAILABLE": 3}
