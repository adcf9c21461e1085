"""The empty name says started and not stopping; a service's name says whether it works now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from scanmesh.ingest.v1 import query_pb2_grpc
from scanmesh.ratelimit.v1 import limit_pb2_grpc as limits_grpc

from services.chassis.errors import Unavailable
from services.chassis.identity import Verifier
from services.chassis.server import Server
from tests.rpc.chassis.scripted import NAME, Scripted
from tests.servers.polling import eventually
from tests.servers.rpc import Added, broken, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NOTICED_SECONDS = 3.0


class Dependency:
    """Something that works until it fails in its way."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.works = True

    async def need(self) -> None:
        if self.works:
            return
        match self.way:
            case "is away":
                raise Unavailable("away")
            case "is faulty":
                raise RuntimeError("a fault")
            case "hangs":
                await asyncio.Event().wait()


@pytest.fixture
def dependencies() -> dict[str, Dependency]:
    """By the service that needs it."""
    return {
        NAME: Dependency("is away"),
        "scanmesh.ingest.v1.ScanService": Dependency("is faulty"),
        "scanmesh.ratelimit.v1.LimitService": Dependency("hangs"),
    }


@pytest.fixture
async def server(dependencies: dict[str, Dependency], verifier: Verifier) -> AsyncIterator[Server]:
    ingest, scans, limits = (dependency.need for dependency in dependencies.values())
    services = (
        Scripted().added(ingest),
        Added(
            query_pb2_grpc.add_ScanServiceServicer_to_server, query_pb2_grpc.ScanServiceServicer(), [scans]
        ),
        Added(limits_grpc.add_LimitServiceServicer_to_server, limits_grpc.LimitServiceServicer(), [limits]),
    )
    grace = timedelta(seconds=0.5)  # an open Watch holds a stop up for most of it
    async with serving(verifier, *services, grace=grace) as server:
        yield server


@pytest.fixture
def health(channel: grpc.aio.Channel) -> health_pb2_grpc.HealthStub:
    return health_pb2_grpc.HealthStub(channel)


async def status(health: Any, name: str) -> Any:
    return (await health.Check(health_pb2.HealthCheckRequest(service=name))).status


async def become(health: Any, expected: Any, *names: str) -> None:
    async def reached() -> bool:
        return {await status(health, name) for name in names} == {expected}

    await eventually(reached, "health to follow needs", seconds=NOTICED_SECONDS)


async def test_a_service_serves_while_its_needs_work(
    health: Any, dependencies: dict[str, Dependency]
) -> None:
    for works, expected in [(True, SERVING), (False, NOT_SERVING), (True, SERVING)]:
        for dependency in dependencies.values():
            dependency.works = works
        await become(health, expected, *dependencies)
        assert await status(health, "") == SERVING  # answered for, typed: never taken out of rotation


async def test_services_do_not_share_their_health(health: Any, dependencies: dict[str, Dependency]) -> None:
    faulty, *others = dependencies
    dependencies[faulty].works = False
    await become(health, SERVING, *others)
    await become(health, NOT_SERVING, faulty)


async def test_a_service_does_not_serve_before_its_needs_worked_once(verifier: Verifier) -> None:
    asked, works = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        asked.set()
        await works.wait()

    async with (
        serving(verifier, Scripted().added(slow)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        await asked.wait()
        assert await status(health, NAME) == NOT_SERVING
        works.set()
        await become(health, SERVING, NAME)


async def test_a_name_nobody_serves_is_not_found(health: Any) -> None:
    error = await broken(health.Check(health_pb2.HealthCheckRequest(service="nobody.v1.Nothing")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_is_told_every_change(health: Any, dependencies: dict[str, Dependency]) -> None:
    await become(health, SERVING, NAME)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=NAME))
    assert (await watch.read()).status == SERVING
    dependencies[NAME].works = False
    assert (await watch.read()).status == NOT_SERVING
    dependencies[NAME].works = True
    assert (await watch.read()).status == SERVING
    watch.cancel()


async def test_a_watcher_of_a_name_nobody_serves_is_told_so(health: Any) -> None:
    watch = health.Watch(health_pb2.HealthCheckRequest(service="nobody.v1.Nothing"))
    assert (await watch.read()).status == SERVICE_UNKNOWN
    watch.cancel()


async def test_a_watch_that_ends_by_its_deadline_is_no_fault(
    health: Any, caplog: pytest.LogCaptureFixture
) -> None:
    watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=0.5)
    assert (await watch.read()).status == SERVING
    assert await watch.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not [record for record in caplog.records if record.message == "fault"]


async def test_reflection_lists_what_is_served(
    channel: grpc.aio.Channel, dependencies: dict[str, Dependency]
) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await asked.read()
    assert {service.name for service in answer.list_services_response.service} == {
        *dependencies,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_reflection_describes_a_service(channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME)
    answer = await stub.ServerReflectionInfo(iter([request])).read()
    assert answer.file_descriptor_response.file_descriptor_proto
