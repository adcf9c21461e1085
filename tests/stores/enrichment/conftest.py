from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from scanmesh.ingest.v1.events_pb2 import ScansRecorded

from services.chassis import database
from services.chassis.database import Database
from services.enrichment.results import State
from services.enrichment.store_result import ResultStore
from services.enrichment.worker import Enricher
from tests.fakes.auth import SettableClock
from tests.fakes.identities import COMPANY_ID
from tests.fakes.recorded import scan_ids
from tests.servers.fixtures import postgres  # noqa: F401 - fixture
from tests.servers.postgres import PostgresServer
from tests.stores.enrichment.feeds import SOURCE, answering
from tests.stores.enrichment.outbox import Outbox


@pytest.fixture
async def worker_db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("enrichment_worker")) as connected:
        yield connected


@pytest.fixture
async def app_db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("enrichment_app")) as connected:
        yield connected


@pytest.fixture
async def superuser(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("postgres")) as connected:
        yield connected


@pytest.fixture
def store(worker_db: Database) -> ResultStore:
    return ResultStore(worker_db)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def states(store: ResultStore) -> Callable[[ScansRecorded], Awaitable[list[State | None]]]:
    """Tell the states of an event's scans."""

    async def states_(event: ScansRecorded) -> list[State | None]:
        found = [await store.find(COMPANY_ID, scan_id) for scan_id in scan_ids(event)]
        return [None if result is None else result.state for result in found]

    return states_


@pytest.fixture
def worker(store: ResultStore, outbox: Outbox, clock: SettableClock) -> Enricher:
    return Enricher(SOURCE, store, outbox, clock, enrich=answering("1"))


@pytest.fixture
def other(store: ResultStore, clock: SettableClock) -> Enricher:
    """Another replica, with newer feeds."""
    return Enricher(SOURCE, store, Outbox(), clock, enrich=answering("2"))
