"""How a server starts, and how it stops."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis.errors import Unavailable
from services.chassis.identity import Verifier
from services.chassis.server import RpcNotInRoles, Server
from services.chassis.settings import ServerSettings
from tests.rpc.chassis.scripted import NAME, Scripted
from tests.servers.rpc import broken, failure, serving

EMPTY = ingest_pb2.SubmitScanRequest()
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def add_demo(servicer: Any, server: Any) -> None:
    """Add a service as generated code does."""
    handlers = {"Known": grpc.unary_unary_rpc_method_handler(servicer)}
    generic = grpc.method_handlers_generic_handler("demo.v1.DemoService", handlers)
    server.add_generic_rpc_handlers((generic,))
    server.add_registered_method_handlers("demo.v1.DemoService", handlers)


async def nothing(request: Any, context: Any) -> Any:
    return b""


async def test_an_rpc_that_nobody_decided_on_refuses_the_start(verifier: Verifier) -> None:
    server = Server(ServerSettings(identity_jwks=Path("unread")), verifier=verifier)
    with pytest.raises(RpcNotInRoles, match=r"/demo\.v1\.DemoService/Known"):
        server.add(add_demo, nothing)


async def test_a_port_that_is_taken_refuses_the_start(verifier: Verifier) -> None:
    async with serving(verifier) as first:
        settings = ServerSettings(identity_jwks=Path("unread"), listen=f"127.0.0.1:{first.port}")
        with pytest.raises(RuntimeError):
            await Server(settings, verifier=verifier).start()


class Slow:
    """A call in progress that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.end = asyncio.Event(), asyncio.Event()

    async def behaviour(self, request: Any, context: Any) -> Any:
        self.begun.set()
        await self.end.wait()
        return ingest_pb2.SubmitScanResponse(scan_id="in time")


async def test_a_stopping_server_says_so_finishes_what_it_began_and_begins_nothing(
    verifier: Verifier, scanner: Any
) -> None:
    slow = Slow()
    async with (
        serving(verifier, Scripted(slow.behaviour).added()) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        watches = [await watching(channel, name) for name in ("", NAME)]
        in_progress = asyncio.ensure_future(answered(stub, scanner))
        await slow.begun.wait()
        stopping = asyncio.create_task(server.stop())
        for watch in watches:
            while (await watch.read()).status != NOT_SERVING:
                pass
            watch.cancel()
        while await begins(stub, scanner):  # what arrives just then is still taken
            pass
        error = await broken(stub.SubmitScan(EMPTY, metadata=scanner))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert not in_progress.done()
        assert not stopping.done()
        slow.end.set()
        assert await in_progress == "in time"
        async with asyncio.timeout(3):  # less than the grace: nothing is left to wait for
            await stopping


async def test_calls_that_had_arrived_when_it_was_told_to_stop_are_answered(
    verifier: Verifier, scanner: Any
) -> None:
    async with (
        serving(verifier, Scripted().added()) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        await answered(stub, scanner)
        calls = [asyncio.ensure_future(answered(stub, scanner)) for _ in range(20)]
        for _ in range(3):
            await asyncio.sleep(0)  # they begin; gRPC's threads send them
        time.sleep(0.2)  # noqa: ASYNC251 - a process that was frozen: meanwhile they arrive, and nobody takes them
        await server.stop()
        assert await asyncio.gather(*calls) == ["answered"] * len(calls)


class Reluctant(Slow):
    """A call that takes its time to end when it is told to."""

    async def behaviour(self, request: Any, context: Any) -> Any:
        try:
            return await super().behaviour(request, context)
        finally:
            await asyncio.sleep(0.3)


@pytest.mark.parametrize("slow", [Slow, Reluctant])
async def test_what_does_not_finish_within_the_grace_is_told_to_come_again_and_never_cancelled(
    verifier: Verifier, scanner: Any, slow: type[Slow]
) -> None:
    call = slow()
    async with (
        serving(verifier, Scripted(call.behaviour).added(), grace=timedelta(seconds=0.2)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        in_progress = asyncio.ensure_future(failure(stub.SubmitScan(EMPTY, metadata=scanner)))
        await call.begun.wait()
        async with asyncio.timeout(3):
            await server.stop()
        error = await in_progress
        assert (type(error), bool(error.retry_delay)) == (Unavailable, True)


async def test_after_a_stop_the_port_is_free(verifier: Verifier) -> None:
    async with serving(verifier) as first:
        port = first.port
    async with serving(verifier, listen=f"127.0.0.1:{port}") as second:
        assert second.port == port


async def watching(channel: grpc.aio.Channel, name: str) -> Any:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name))
    await watch.read()
    return watch


async def begins(stub: Any, metadata: Any) -> bool:
    """Tell whether calls are still taken."""
    try:
        await stub.SubmitScans(ingest_pb2.SubmitScansRequest(), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code() is not grpc.StatusCode.UNAVAILABLE
    return True


async def answered(stub: Any, metadata: Any) -> str:
    return (await stub.SubmitScan(EMPTY, metadata=metadata)).scan_id
