from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import query_pb2_grpc

from services.chassis import bus as buses
from services.chassis import database, plans, subjects
from services.chassis.bus import Bus
from services.chassis.database import Database
from services.chassis.identity import Role, Signer, Verifier
from services.chassis.plans import Plan
from services.chassis.provision import provision
from services.ingest.backlog import Backlog
from services.ingest.replayer import Replayer
from services.ingest.servicer_scan import Books, ScanServicer
from tests.fakes import identities
from tests.fakes.auth import SettableClock
from tests.fakes.filling import Filling
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.record import Record
from tests.servers.rpc import Added, serving, signed

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
_MAX_BYTES = 256 * 2**20
_companies = itertools.count(1)

Metadata = tuple[tuple[str, str], ...]


class KnownPlans:
    """Plans that a test decides."""

    def __init__(self) -> None:
        self.retention = timedelta(days=90)

    def of(self, company_id: int) -> Plan:
        return dataclasses.replace(plans.UNKNOWN, retention=self.retention)


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server with every stream of the mesh."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    asyncio.run(_make_streams(server))
    yield server
    server.kill()


async def _make_streams(server: NatsServer) -> None:
    async with buses.connected(server.url, "tests") as connected:
        await connected.until_connected()
        await provision(connected.jetstream, subjects.STREAMS, max_bytes=_MAX_BYTES)


@pytest.fixture
async def bus(nats: NatsServer) -> AsyncIterator[Bus]:
    """The bus, its queues empty."""
    async with buses.connected(nats.url, "tests") as connected:
        await connected.until_connected()
        for stream in (subjects.SCANS, subjects.RECORDED):
            await connected.jetstream.purge_stream(stream.name)
        yield connected


@pytest.fixture
async def db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ingest_app")) as connected:
        yield connected


@pytest.fixture
async def worker(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("ingest_worker")) as connected:
        yield connected


@pytest.fixture
def company_id() -> int:
    """A company of this test's own."""
    return next(_companies)


@pytest.fixture
def record(worker: Database, company_id: int) -> Record:
    return Record(worker, company_id)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def known_plans() -> KnownPlans:
    return KnownPlans()


@pytest.fixture
def books(db: Database) -> Books:
    return Books.of(db)


@pytest.fixture
def filling() -> Filling:
    """Tells the service how full its streams are."""
    return Filling()


@pytest.fixture
def backlog(filling: Filling) -> Backlog:
    """Sees empty streams until a test has it look."""
    return Backlog(filling)  # type: ignore[arg-type]


@pytest.fixture
def replayer(books: Books, bus: Bus, backlog: Backlog) -> Replayer:
    return Replayer(books.letters, bus, backlog)


@pytest.fixture
def servicer(
    books: Books, replayer: Replayer, bus: Bus, known_plans: KnownPlans, clock: SettableClock
) -> ScanServicer:
    return ScanServicer(books, replayer, bus, known_plans, clock=clock)  # type: ignore[arg-type]


@pytest.fixture
async def scans(servicer: ScanServicer, verifier: Verifier) -> AsyncIterator[Any]:
    """A stub of ScanService."""
    added = Added(query_pb2_grpc.add_ScanServiceServicer_to_server, servicer)
    async with (
        serving(verifier, added) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield query_pb2_grpc.ScanServiceStub(channel)


@pytest.fixture
def viewer(signer: Signer, company_id: int) -> Metadata:
    return signed(signer, identities.operator(Role.VIEWER, company_id=company_id))


@pytest.fixture
def admin(signer: Signer, company_id: int) -> Metadata:
    return signed(signer, identities.operator(Role.ADMIN, company_id=company_id))


@pytest.fixture
def stranger(signer: Signer) -> Metadata:
    """An admin of another company."""
    return signed(signer, identities.operator(Role.ADMIN, company_id=next(_companies)))


@pytest.fixture
def platform(signer: Signer) -> Metadata:
    return signed(signer, identities.operator(Role.PLATFORM_ADMIN))


@pytest.fixture
def as_scanner(signer: Signer, company_id: int) -> Callable[[str], Metadata]:
    """The metadata of a call by a scanner of the company."""
    return lambda scanner_id: signed(signer, identities.scanner(company_id=company_id, subject=scanner_id))
