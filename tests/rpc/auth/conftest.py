from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from services.auth.passwords import Passwords
from tests.fakes.auth import FakeBus, SettableClock
from tests.fakes.plans import FakePlans
from tests.rpc.auth.replica import Replica, Site, running
from tests.servers.fixtures import postgres, valkey  # noqa: F401 - fixtures
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer


@pytest.fixture(scope="session")
def site(
    postgres: PostgresServer,  # noqa: F811
    valkey: ValkeyServer,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    return Site.create(postgres, valkey, tmp_path_factory.mktemp("keys"))


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def plans() -> FakePlans:
    return FakePlans()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Hash cheaply: what is tested here is not how hard a password is to guess."""
    with Passwords(cost=4) as made:
        yield made


@pytest.fixture
async def start(
    site: Site, clock: SettableClock, bus: FakeBus, plans: FakePlans, passwords: Passwords
) -> AsyncIterator[object]:
    """Start replicas of auth, as many as the test asks for."""
    async with AsyncExitStack() as stack:

        async def started(own_clock: SettableClock = clock) -> Replica:
            own = await stack.enter_async_context(AsyncExitStack())
            replica = await own.enter_async_context(running(site, bus, plans, passwords, own_clock))
            replica.stop = own.aclose
            return replica

        yield started


@pytest.fixture
async def auth(start) -> Replica:
    return await start()
