"""Scans, as ingest knows them: asked in the name of whoever calls, who may not learn more than ingest tells it."""

from __future__ import annotations

from uuid import UUID

import grpc
from scanmesh.ingest.v1 import query_pb2, query_pb2_grpc

from services.chassis.clients import as_caller
from services.chassis.errors import NotFound


class Scans:
    """Asks ingest."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = query_pb2_grpc.ScanServiceStub(channel)

    async def dead_letter_id(self, company_id: int, scan_id: UUID) -> str:
        """Answer the letter of a scan that died before it was recorded; empty if it did not.

        Raises:
            NotFound: with a retry delay; the scan may not be recorded yet.
            Unavailable: ingest does not answer.
        """
        request = query_pb2.GetScanRequest(scan_id=str(scan_id), company_id=company_id)
        try:
            await self._stub.GetScan(request, metadata=as_caller())
        except NotFound as error:
            if error.retry_delay is not None:
                raise
            return error.metadata.get("dead_letter_id", "")
        return ""
