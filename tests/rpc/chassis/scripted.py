"""The ingest service with handlers that each test writes itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis.needs import Need
from tests.servers.rpc import Added

NAME = "scanmesh.ingest.v1.IngestService"
RPCS = ("SubmitScan", "SubmitScans", "SubmitLegacyScan")


async def answer(request: Any, context: Any) -> Any:
    return ingest_pb2.SubmitScanResponse(scan_id="answered")


class Scripted(ingest_pb2_grpc.IngestServiceServicer):
    """Counts its calls; `SubmitScan` does what `behaviour` says, the others answer."""

    def __init__(self, behaviour: Callable[[Any, Any], Awaitable[Any]] = answer) -> None:
        self.behaviour = behaviour
        self.calls = 0

    def added(self, *needs: Need) -> Added:
        return Added(ingest_pb2_grpc.add_IngestServiceServicer_to_server, self, needs)

    async def SubmitScan(self, request: Any, context: Any) -> Any:
        self.calls += 1
        return await self.behaviour(request, context)

    async def SubmitScans(self, request: Any, context: Any) -> Any:
        self.calls += 1
        return ingest_pb2.SubmitScansResponse(accepted_count=1)

    async def SubmitLegacyScan(self, request: Any, context: Any) -> Any:
        self.calls += 1
        return ingest_pb2.SubmitLegacyScanResponse(success=True)
