from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from services.chassis import database
from services.chassis.database import Database
from services.ratelimit import buckets
from services.ratelimit.buckets import Buckets
from tests.fakes.auth import SettableClock
from tests.servers.fixtures import postgres, valkey  # noqa: F401 - fixtures
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer

PATIENCE = 5.0
"""Seconds: a machine that is busy with other tests is not what these are about."""
_company_ids = itertools.count(int(time.time()) % 10**6 * 1_000 + 1)


@pytest.fixture
async def db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ratelimit_app")) as connected:
        yield connected


@pytest.fixture
async def limits(valkey: ValkeyServer) -> AsyncIterator[Buckets]:  # noqa: F811
    async with buckets.connected(valkey.url("ratelimit"), ask_seconds=PATIENCE) as connected:
        yield connected


@pytest.fixture
async def other_replica(valkey: ValkeyServer) -> AsyncIterator[Buckets]:  # noqa: F811
    async with buckets.connected(valkey.url("ratelimit"), ask_seconds=PATIENCE) as connected:
        yield connected


@pytest.fixture
def forget(valkey: ValkeyServer) -> Iterator[Callable[[], None]]:  # noqa: F811
    """Make Valkey lose everything it holds, the functions too, as a restart does."""
    with valkey.inspect() as client:

        def lose() -> None:
            client.flushall()
            client.execute_command("FUNCTION", "FLUSH")

        yield lose


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def new_company() -> Callable[[], int]:
    """Answer the id of a company that nobody has spent for."""
    return lambda: next(_company_ids)


@pytest.fixture
def company_id(new_company) -> int:
    return new_company()
