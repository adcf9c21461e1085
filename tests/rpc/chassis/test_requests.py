"""Requests that cannot be read, or are too large to be."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from services.chassis.errors import InvalidArgument, Reason
from tests.rpc.chassis.scripted import NAME, Scripted
from tests.servers.rpc import broken, failure

MIB = 2**20


def request_of(size: int) -> bytes:
    """A good request of so many bytes."""
    request = ingest_pb2.SubmitScanRequest(scan=scan_pb2.Scan(operator=" "))
    for _ in range(2):  # lengths take more bytes as they grow
        others = request.ByteSize() - len(request.scan.operator)
        request.scan.operator = " " * (size - others)
    assert request.ByteSize() == size
    return request.SerializeToString()


def submit(channel: grpc.aio.Channel, data: bytes, metadata: Any) -> Any:
    return channel.unary_unary(f"/{NAME}/SubmitScan")(data, metadata=metadata)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x0a\x05ab",
        b"\x0a\x02\x0a\xff",
        b"\x0a\x04\x0a\x02\xc3\x28",  # a string that is not UTF-8
        bytes(range(256)),
    ],
)
async def test_bytes_that_are_no_message_are_malformed(
    channel: grpc.aio.Channel, scripted: Scripted, scanner: Any, data: bytes
) -> None:
    error = await failure(submit(channel, data, scanner))
    assert (type(error), error.reason) == (InvalidArgument, Reason.REQUEST_MALFORMED)
    assert error.retry_delay is None
    assert scripted.calls == 0


async def test_a_request_of_4_mib_is_taken(
    channel: grpc.aio.Channel, scripted: Scripted, scanner: Any
) -> None:
    await submit(channel, request_of(4 * MIB), scanner)
    assert scripted.calls == 1


@pytest.mark.parametrize("size", [4 * MIB + 1, 8 * MIB - 1])
async def test_a_larger_request_is_refused_for_good(
    channel: grpc.aio.Channel, scripted: Scripted, scanner: Any, size: int
) -> None:
    error = await failure(submit(channel, request_of(size), scanner))
    assert (type(error), error.reason) == (InvalidArgument, Reason.REQUEST_TOO_LARGE)
    assert error.retry_delay is None
    assert scripted.calls == 0


async def test_beyond_8_mib_grpc_itself_refuses(
    channel: grpc.aio.Channel, scripted: Scripted, scanner: Any
) -> None:
    error = await broken(submit(channel, request_of(8 * MIB + 1), scanner))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert scripted.calls == 0


async def test_an_rpc_that_does_not_exist_is_unimplemented(channel: grpc.aio.Channel, scanner: Any) -> None:
    error = await broken(channel.unary_unary(f"/{NAME}/Nothing")(b"", metadata=scanner))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
