from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.billing import plan_file, tables
from services.billing.plans import Catalogue
from services.billing.store_ledger import LedgerStore
from services.chassis import bus as chassis_bus
from services.chassis import database
from services.chassis.bus import Bus
from services.chassis.database import Database
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.stores.billing import streams

_companies = itertools.count(1_000, 10)


@pytest.fixture
async def app(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    """The database as requests see it."""
    async with database.connected(postgres.url("billing_app")) as connected:
        yield connected


@pytest.fixture
async def worker(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    """The database as the ledger process sees it."""
    async with database.connected(postgres.url("billing_worker")) as connected:
        yield connected


@pytest.fixture
async def superuser(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("postgres"), pool_size=1) as connected:
        yield connected


@pytest.fixture
def company_id() -> int:
    """A company that no other test has."""
    return next(_companies)


@pytest.fixture
def catalogue() -> Catalogue:
    return plan_file.load()


@pytest.fixture
def ledger(worker: Database, catalogue: Catalogue) -> LedgerStore:
    return LedgerStore(worker, catalogue)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A bus of this test's own, its streams made."""
    server = NatsServer(tmp_path)
    server.start()
    try:
        async with chassis_bus.connected(server.url, "tests") as connected:
            await streams.make(connected)
            yield connected
    finally:
        server.kill()


@pytest.fixture
async def unmoved(superuser: Database) -> None:
    """Put the watermark back to where a new ledger has it."""
    beginning = sa.func.to_timestamp(0)
    async with superuser.transaction() as connection:
        await connection.execute(
            sa.update(tables.watermarks).values(
                watermark_time=beginning, told_watermark_time=beginning, told_time=beginning, told_epoch=""
            )
        )
