"""What belongs to a call stays with it: ids in its log lines, its trace, its part in the next call."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from opentelemetry import trace
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis import clients, deadline, identity, telemetry
from services.chassis.clock import now
from services.chassis.identity import METADATA_KEY, Signer, Verifier
from tests.fakes import identities
from tests.rpc.chassis.scripted import Scripted
from tests.servers.rpc import serving

EMPTY = ingest_pb2.SubmitScanRequest()
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
TRACEPARENT = f"00-{TRACE_ID:032x}-b7ad6b7169203331-01"


async def test_calls_at_once_do_not_share_their_ids(ingest: Any, scripted: Scripted, scanner: Any) -> None:
    all_in = asyncio.Barrier(10)

    async def bind(request: ingest_pb2.SubmitScanRequest, context: Any) -> Any:
        telemetry.bind(scan_id=request.scan.scan_id)
        await all_in.wait()
        line = telemetry.JsonFormatter("ingest").format(logging.makeLogRecord({"msg": "at work"}))
        return ingest_pb2.SubmitScanResponse(scan_id=line)

    scripted.behaviour = bind

    async def call(name: str) -> str:
        request = ingest_pb2.SubmitScanRequest()
        request.scan.scan_id = f"scan-{name}"
        metadata = (*scanner, ("x-request-id", f"request-{name}"))
        return (await ingest.SubmitScan(request, metadata=metadata)).scan_id

    names = [str(number) for number in range(10)]
    lines = await asyncio.gather(*map(call, names))
    for name, line in zip(names, lines, strict=True):
        assert f'"scan_id": "scan-{name}"' in line
        assert f'"request_id": "request-{name}"' in line
    assert telemetry.request_id() == ""


async def test_a_call_without_a_request_id_is_given_one(
    ingest: Any, scripted: Scripted, scanner: Any
) -> None:
    async def look(request: Any, context: Any) -> Any:
        return ingest_pb2.SubmitScanResponse(scan_id=telemetry.request_id())

    scripted.behaviour = look
    first, second = [(await ingest.SubmitScan(EMPTY, metadata=scanner)).scan_id for _ in range(2)]
    assert len(first) == len(second) == 16
    assert first != second


async def test_a_trace_goes_through_a_service_to_the_next(
    scripted: Scripted, signer: Signer, verifier: Verifier, scanner: Any, ingest: Any
) -> None:
    """One service calls another inside of a call: who asked, which trace, and how long is left go along."""
    seen: dict[str, Any] = {}

    async def look(request: Any, context: Any) -> Any:
        seen.update(dict(context.invocation_metadata()))
        seen["left"] = deadline.remaining()
        seen["trace"] = trace.get_current_span().get_span_context().trace_id
        return ingest_pb2.SubmitScanResponse()

    async def call_on(request: Any, context: Any) -> Any:
        return await ingest_pb2_grpc.IngestServiceStub(to_the_next).SubmitScan(EMPTY)

    scripted.behaviour = call_on
    token = signer.sign(identities.SCANNER, now())
    async with (
        serving(verifier, Scripted(look).added()) as following,
        clients.channel([f"127.0.0.1:{following.port}"], identity_token=token) as to_the_next,
    ):
        metadata = (*scanner, ("x-request-id", "r-1"), ("traceparent", TRACEPARENT))
        await ingest.SubmitScan(EMPTY, metadata=metadata, timeout=2)
    assert seen["x-request-id"] == "r-1"
    assert seen[METADATA_KEY] == token
    assert seen["trace"] == TRACE_ID
    assert 0 < seen["left"] < 2


async def test_outside_of_a_call_there_is_no_caller() -> None:
    with pytest.raises(LookupError):
        identity.caller()
