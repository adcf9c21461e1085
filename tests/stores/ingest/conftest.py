from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.chassis import database
from services.chassis.database import Database
from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_record import RecordStore
from tests.fakes.auth import SettableClock
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.postgres import PostgresServer
from tests.stores.ingest.queues import NOW, Queues
from tests.stores.ingest.record import Record

_companies = itertools.count(1)


@pytest.fixture
async def db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ingest_worker")) as connected:
        yield connected


@pytest.fixture
async def app(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ingest_app")) as connected:
        yield connected


@pytest.fixture
async def owner(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ingest_owner"), pool_size=2) as connected:
        yield connected


@pytest.fixture
async def superuser(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("postgres"), pool_size=2) as connected:
        yield connected


@pytest.fixture
def company_id() -> int:
    """A company that no other test has."""
    return next(_companies)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def queues(clock: SettableClock) -> Queues:
    return Queues(clock)


@pytest.fixture
def recorder(db: Database, queues: Queues, clock: SettableClock) -> Recorder:
    return Recorder(queues, RecordStore(db), Epoch(queues), clock)


@pytest.fixture
def record(db: Database, company_id: int) -> Record:
    return Record(db, company_id)


@dataclass(frozen=True)
class Site:
    """All of the above, for tests that want most of it."""

    db: Database
    clock: SettableClock
    queues: Queues
    recorder: Recorder
    record: Record

    @property
    def company_id(self) -> int:
        return self.record.company_id


@pytest.fixture
def site(db: Database, clock: SettableClock, queues: Queues, recorder: Recorder, record: Record) -> Site:
    return Site(db, clock, queues, recorder, record)
