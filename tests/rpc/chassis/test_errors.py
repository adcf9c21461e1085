"""What a handler raises, and what arrives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis import clients, errors
from services.chassis.clock import now
from services.chassis.errors import Internal, MeshError, Reason, Violation
from services.chassis.identity import Signer
from services.chassis.server import Server
from tests.fakes import identities
from tests.rpc.chassis.scripted import Scripted
from tests.servers.rpc import broken, failure

EMPTY = ingest_pb2.SubmitScanRequest()
RAISED = errors.NotFound(
    "no such „thing“: 100 %\nat all",
    reason=Reason.NOT_RECORDED_YET,
    metadata={"dead_letter_id": "x"},
    retry_delay=timedelta(seconds=1.2),
    violations=[Violation("scan_id", "is unknown")],
)


def raising(error: Exception) -> Callable[[Any, Any], Any]:
    async def behaviour(request: Any, context: Any) -> Any:
        raise error

    return behaviour


@pytest.mark.parametrize("kind", MeshError.__subclasses__())
async def test_every_kind_arrives_with_its_code_and_details(
    ingest: Any, scripted: Scripted, scanner: Any, kind: type[MeshError]
) -> None:
    scripted.behaviour = raising(kind("no"))
    error = await broken(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert error.code() is kind.code
    arrived = await failure(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert (type(arrived), arrived.reason, arrived.message) == (kind, kind.reason, "no")


async def test_everything_that_was_said_arrives(ingest: Any, scripted: Scripted, scanner: Any) -> None:
    scripted.behaviour = raising(RAISED)
    error = await broken(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert error.details() == RAISED.message
    assert dict(error.trailing_metadata())["retry-after"] == "2"
    assert vars(await failure(ingest.SubmitScan(EMPTY, metadata=scanner))) == vars(RAISED)


async def test_a_peer_catches_what_was_raised(server: Server, scripted: Scripted, signer: Signer) -> None:
    scripted.behaviour = raising(RAISED)
    token = signer.sign(identities.SCANNER, now())
    async with clients.channel([f"127.0.0.1:{server.port}"], identity_token=token) as channel:
        with pytest.raises(errors.NotFound) as caught:
            await ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan(EMPTY)
    assert vars(caught.value) == vars(RAISED)


async def test_more_violations_than_trailers_hold_arrive_shortened(
    ingest: Any, scripted: Scripted, scanner: Any
) -> None:
    violations = [Violation(f"attributes.{'ß' * 60}{index}", "is too long") for index in range(500)]
    message = "; ".join(f"{each.field}: {each.description}" for each in violations)
    scripted.behaviour = raising(errors.InvalidArgument(message, violations=violations))
    for _ in range(20):  # gRPC drops what is somewhat too large at random
        error = await failure(ingest.SubmitScan(EMPTY, metadata=scanner))
        assert type(error) is errors.InvalidArgument
        assert len(error.violations) > 20


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("password=hunter2"), KeyError("hunter2"), TimeoutError("hunter2"), AssertionError()],
)
async def test_a_fault_is_logged_whole_and_tells_the_caller_nothing(
    ingest: Any, scripted: Scripted, scanner: Any, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    scripted.behaviour = raising(fault)
    error = await broken(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in repr(error)
    assert "retry-after" in dict(error.trailing_metadata())
    arrived = await failure(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert (type(arrived), arrived.message) == (Internal, "internal error")
    assert arrived.retry_delay == Internal.default_retry_delay
    (logged, _) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert logged.exc_info is not None
    assert logged.exc_info[1] is fault


async def test_a_handler_may_end_a_call_as_grpc_does(ingest: Any, scripted: Scripted, scanner: Any) -> None:
    async def abort(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "beyond")

    scripted.behaviour = abort
    error = await broken(ingest.SubmitScan(EMPTY, metadata=scanner))
    assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "beyond")


async def test_a_refused_call_is_logged_with_its_reason(
    ingest: Any, scripted: Scripted, scanner: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services.chassis.interceptors")
    scripted.behaviour = raising(RAISED)
    await broken(ingest.SubmitScan(EMPTY, metadata=scanner))
    (logged,) = (record for record in caplog.records if record.message == "refused")
    assert (logged.method, logged.code, logged.reason) == (
        "/scanmesh.ingest.v1.IngestService/SubmitScan",
        "NOT_FOUND",
        "NOT_RECORDED_YET",
    )
