from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from services.chassis import bus
from services.chassis.identity import Signer
from tests.fakes.auth import SettableClock
from tests.rpc.billing.replica import Replica, Site, running
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.stores.billing import streams

_companies = itertools.count(500_000)


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A bus for the tests of this folder, its streams made."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()

    async def make() -> None:
        async with bus.connected(server.url, "tests") as connected:
            await streams.make(connected)

    try:
        asyncio.run(make())
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def site(
    signer: Signer,
    postgres: PostgresServer,  # noqa: F811
    nats: NatsServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    jwks.write_text(json.dumps(signer.jwks()))
    return Site(signer, jwks, postgres, nats)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def start(site: Site, clock: SettableClock) -> AsyncIterator[object]:
    """Start replicas of billing, as many as the test asks for."""
    async with AsyncExitStack() as stack:

        async def started() -> Replica:
            return await stack.enter_async_context(running(site, clock))

        yield started


@pytest.fixture
async def billing(start) -> Replica:
    return await start()


@pytest.fixture
def company_id() -> int:
    """A company that no other test has."""
    return next(_companies)
