"""Every call has an end, and is told so before its caller gives up."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2

from services.chassis import deadline
from services.chassis.errors import DeadlineExceeded, Reason
from tests.rpc.chassis.scripted import Scripted
from tests.servers.rpc import failure

EMPTY = ingest_pb2.SubmitScanRequest()


async def test_a_slow_handler_is_answered_for_before_the_callers_timer_ends(
    ingest: Any, scripted: Scripted, scanner: Any
) -> None:
    cancelled = asyncio.Event()

    async def wait_for_ever(request: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    scripted.behaviour = wait_for_ever
    # Only the service's own answer has details; the caller's timer knows none.
    error = await failure(ingest.SubmitScan(EMPTY, timeout=0.6, metadata=scanner))
    assert (type(error), error.reason) == (DeadlineExceeded, Reason.DEADLINE_EXCEEDED)
    assert error.retry_delay is not None
    assert cancelled.is_set()


async def test_a_handler_knows_how_long_it_has(ingest: Any, scripted: Scripted, scanner: Any) -> None:
    seen = []

    async def look(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        seen.append(deadline.remaining())
        return ingest_pb2.SubmitScanResponse()

    scripted.behaviour = look
    await ingest.SubmitScan(EMPTY, metadata=scanner)
    await ingest.SubmitScan(EMPTY, metadata=scanner, timeout=3)
    assert seen == [pytest.approx(9.9, abs=0.5), pytest.approx(2.9, abs=0.5)]


async def test_of_a_short_deadline_a_share_is_kept_for_the_answer(
    ingest: Any, scripted: Scripted, scanner: Any
) -> None:
    """A fixed margin would leave nothing to a service that is called by one that is called in a hurry."""
    seen = []

    async def work(request: Any, context: Any) -> Any:
        seen.append(deadline.remaining())
        return ingest_pb2.SubmitScanResponse()

    scripted.behaviour = work
    await ingest.SubmitScan(EMPTY, timeout=0.1, metadata=scanner)
    assert 0.02 < seen[0] <= 0.081  # milliseconds on the wire, and another clock


async def test_a_call_gets_no_further_than_its_deadline(
    ingest: Any, scripted: Scripted, scanner: Any
) -> None:
    done = []

    async def work(request: Any, context: Any) -> Any:
        await asyncio.sleep(0.2)
        done.append(request)
        return ingest_pb2.SubmitScanResponse()

    scripted.behaviour = work
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ingest.SubmitScan(EMPTY, timeout=0.1, metadata=scanner)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert done == []


async def test_a_caller_that_hangs_up_ends_its_handler(ingest: Any, scripted: Scripted, scanner: Any) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, context: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    scripted.behaviour = wait
    call = ingest.SubmitScan(EMPTY, metadata=scanner)
    async with asyncio.timeout(5):
        await begun.wait()
        call.cancel()
        await ended.wait()
