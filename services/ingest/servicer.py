"""The gRPC edge of ingest: reads requests, has scans accepted, answers each as the contract says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.api import httpbody_pb2
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from services.chassis import identity, telemetry, wire
from services.chassis.clock import Clock
from services.chassis.errors import (
    InvalidArgument,
    MeshError,
    Reason,
    ResourceExhausted,
    Unavailable,
    Violation,
    within,
)
from services.ingest import batch, legacy, scan
from services.ingest.acceptor import Acceptance, Acceptor

# An answer must stay below the 4 MiB that gRPC clients take: at most 1 000 rejections of these.
_MAX_VIOLATIONS_BYTES = 2 * 1024
_MAX_ECHO = 64
"""Characters of a scan id that is sent back; a longer one is no UUID."""


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """Answers *accepted* only for scans that are on disk."""

    def __init__(self, acceptor: Acceptor, clock: Clock) -> None:
        self._acceptor = acceptor
        self._clock = clock

    async def SubmitScan(
        self, request: ingest_pb2.SubmitScanRequest, context: Any
    ) -> ingest_pb2.SubmitScanResponse:
        accept_time = await self._one(request.scan, self._clock(), bulk=request.bulk)
        return ingest_pb2.SubmitScanResponse(
            scan_id=request.scan.scan_id, accept_time=wire.timestamp(accept_time)
        )

    async def SubmitScans(
        self, request: ingest_pb2.SubmitScansRequest, context: Any
    ) -> ingest_pb2.SubmitScansResponse:
        _check_length(request.scans)
        caller = identity.caller().identity
        outcome = await self._acceptor.accept(caller, request.scans, self._clock(), bulk=request.bulk)
        refusal = batch.refusal(outcome.accepted_count, outcome.rejections)
        if refusal is not None:
            raise refusal
        return _render(outcome)

    async def SubmitLegacyScan(
        self, request: httpbody_pb2.HttpBody, context: Any
    ) -> ingest_pb2.SubmitLegacyScanResponse:
        now = self._clock()
        parsed = legacy.parse(request.data, identity.caller().identity.subject, now)
        accept_time = await self._one(parsed, now, max_attribute_value=scan.MAX_LEGACY_ATTRIBUTE_VALUE)
        return ingest_pb2.SubmitLegacyScanResponse(
            success=True,
            scan_id=parsed.scan_id,
            event_id=parsed.scan_id,
            timestamp=wire.timestamp(accept_time),
            message="scan accepted",
        )

    async def _one(
        self,
        submitted: scan_pb2.Scan,
        now: datetime,
        *,
        bulk: bool = False,
        max_attribute_value: int = scan.MAX_ATTRIBUTE_VALUE,
    ) -> datetime:
        telemetry.bind(scan_id=submitted.scan_id[:36])
        outcome = await self._acceptor.accept(
            identity.caller().identity, [submitted], now, bulk=bulk, max_attribute_value=max_attribute_value
        )
        if outcome.rejections:
            raise _error(outcome.rejections[0])
        return outcome.accept_time


def _check_length(scans: Sequence[scan_pb2.Scan]) -> None:
    if not scans:
        # A misspelt field name arrives as an empty batch: answered OK, the device would drop its scans.
        raise InvalidArgument("the batch is empty", violations=[Violation("scans", "must not be empty")])
    if len(scans) > batch.MAX_SCANS:
        raise InvalidArgument(f"a batch has at most {batch.MAX_SCANS} scans", reason=Reason.BATCH_TOO_LARGE)


def _error(rejection: batch.Rejection) -> MeshError:
    if rejection.violations:
        message = "; ".join(
            f"{violation.field}: {violation.description}" for violation in rejection.violations
        )
        return InvalidArgument(message, violations=rejection.violations)
    if rejection.beyond_limit:
        return _beyond_limit(rejection)
    return Unavailable(
        "the scan was not accepted; send it again",
        reason=rejection.reason,
        retry_delay=rejection.retry_delay,
    )


def _beyond_limit(rejection: batch.Rejection) -> ResourceExhausted:
    return ResourceExhausted(
        f"the limit {rejection.limit} is reached; send the scan again later",
        reason=rejection.reason,
        metadata={"limit": rejection.limit},
        retry_delay=rejection.retry_delay,
        exceeded=[Violation(rejection.limit, "is reached")],
    )


def _render(outcome: Acceptance) -> ingest_pb2.SubmitScansResponse:
    return ingest_pb2.SubmitScansResponse(
        accepted_count=outcome.accepted_count,
        rejections=[_render_rejection(rejection) for rejection in outcome.rejections],
    )


def _render_rejection(rejection: batch.Rejection) -> ingest_pb2.Rejection:
    return ingest_pb2.Rejection(
        index=rejection.index,
        scan_id=rejection.scan_id[:_MAX_ECHO],
        reason=rejection.reason,
        violations=[
            ingest_pb2.Violation(field=violation.field, description=violation.description)
            for violation in within(rejection.violations, _MAX_VIOLATIONS_BYTES)
        ],
        retry_delay=None if rejection.retry_delay is None else wire.duration(rejection.retry_delay),
    )
