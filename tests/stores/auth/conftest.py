from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.auth import audit, cache
from services.auth.cache import SharedCache
from services.auth.store_company import CompanyStore
from services.chassis import database
from services.chassis.database import Database
from services.chassis.identity import Role
from tests.fakes.auth import SettableClock
from tests.servers.fixtures import postgres, valkey  # noqa: F401 - fixtures
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer


@pytest.fixture
async def db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("auth_app")) as connected:
        yield connected


@pytest.fixture
async def superuser(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("postgres"), pool_size=1) as connected:
        yield connected


@pytest.fixture
async def shared(valkey: ValkeyServer) -> AsyncIterator[SharedCache]:  # noqa: F811
    async with cache.connected(valkey.url("auth")) as connected:
        yield connected


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def entry(clock: SettableClock) -> audit.Entry:
    return audit.Entry("", Role.PLATFORM_ADMIN, "test", clock(), request_id="r-1", fields=("a",))


@pytest.fixture
async def company_id(db: Database, entry: audit.Entry) -> int:
    values = {"display_name": "Acme", "region": "local", "allowed_cidrs": ()}
    return (await CompanyStore(db).create(values, entry)).company_id
