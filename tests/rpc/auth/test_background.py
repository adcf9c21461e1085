"""What becomes of the process when work beside its calls ends by a fault."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from scanmesh.auth.v1 import auth_pb2

from services.auth import cache
from services.auth.__main__ import Outside, assembled
from services.auth.passwords import Passwords
from services.chassis import database
from tests.fakes.auth import FakeBus
from tests.rpc.auth.replica import Replica
from tests.servers.polling import eventually


class FaultyBus(FakeBus):
    """Fails as only a mistake in the code does, once it is told to."""

    faulty = False

    async def publish(self, *args, **options):
        if self.faulty:
            raise ZeroDivisionError
        return await super().publish(*args, **options)


class HeldPasswords(Passwords):
    """Hashes only when it is let go on."""

    def __init__(self):
        super().__init__(cost=4)
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def matches(self, password, hashed):
        self.asked.set()
        await self.go_on.wait()
        return await super().matches(password, hashed)


@pytest.fixture
def bus():
    return FaultyBus()


@pytest.fixture
def passwords():
    with HeldPasswords() as made:
        yield made


async def said_to_be_stopping(channel):
    """Wait until the edge is told to look elsewhere."""
    health = health_pb2_grpc.HealthStub(channel)
    async for answer in health.Watch(health_pb2.HealthCheckRequest()):
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            return


@pytest.fixture
async def started(site, clock, bus, plans, passwords):
    """The service as its process runs it; the server, what it is asked by, and the run."""
    assembling = asyncio.get_running_loop().create_future()

    async def run():
        async with (
            database.connected(site.settings.database_url) as db,
            cache.connected(site.settings.valkey_url) as shared,
            assembled(site.settings, Outside(db, shared, bus, plans, passwords, clock)) as auth,
        ):
            assembling.set_result((auth.server, db))
            await auth.server.until_stopped()

    running = asyncio.create_task(run())
    server, db = await assembling

    async def is_open():
        return bool(server.port)

    await eventually(is_open, "the port to be open")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel, Replica(site, channel, db, clock), running
    passwords.go_on.set()
    await server.stop()  # if the test has failed
    await asyncio.wait([running])


async def test_a_fault_beside_the_calls_ends_the_process_after_its_calls(started, bus, passwords):
    channel, auth, running = started
    user = await auth.user(await auth.company())
    signing_in = asyncio.ensure_future(auth.sign_in(user.email))
    await passwords.asked.wait()
    watching = asyncio.create_task(said_to_be_stopping(channel))
    bus.faulty = True
    async with asyncio.timeout(5):
        await watching
    passwords.go_on.set()
    assert isinstance(await signing_in, auth_pb2.CreateSessionResponse)
    with pytest.raises(ExceptionGroup) as ended:
        await running
    assert ended.group_contains(ZeroDivisionError)
