from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import grpc
import pytest
from scanmesh.enrichment.v1 import enrichment_pb2_grpc
from scanmesh.ingest.v1 import query_pb2, query_pb2_grpc

from services.chassis import bus, clients, connection, database, identity, subjects
from services.chassis.bus import Bus, StreamState
from services.chassis.connection import Connection
from services.chassis.errors import NotFound, Reason
from services.chassis.identity import Verifier
from services.chassis.plans import Plans
from services.chassis.provision import provision
from services.chassis.subjects import Kind, Lane, Stream
from services.enrichment.recorded import Source
from services.enrichment.scans import Scans
from services.enrichment.servicer import EnrichmentServicer
from services.enrichment.store_result import ResultStore
from services.enrichment.worker import Enricher
from tests.fakes.auth import SettableClock
from tests.servers.fixtures import postgres  # noqa: F401 - fixture
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.rpc import Added, serving


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """Run NATS with every stream of the mesh."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    try:
        asyncio.run(_provisioned(server))
        yield server
    finally:
        server.stop()


async def _provisioned(server: NatsServer) -> None:
    async with bus.connected(server.url, "provision") as connected:
        await connected.until_connected()
        await provision(connected.jetstream, subjects.STREAMS, max_bytes=2**28)


class WatchedBus(Bus):
    """A bus that tells when somebody has looked at a stream."""

    def __init__(self, kept: Connection) -> None:
        super().__init__(kept)
        self.looked = asyncio.Event()

    async def state(self, stream: Stream) -> StreamState:
        answer = await super().state(stream)
        self.looked.set()
        return answer


@pytest.fixture
async def nats(nats_server: NatsServer) -> AsyncIterator[WatchedBus]:
    """The bus, with nothing on its way."""
    async with connection.kept(nats_server.url, "test") as kept:
        connected = WatchedBus(kept)
        await connected.until_connected()
        for stream in (subjects.SCANS, subjects.RECORDED):
            await connected.jetstream.purge_stream(stream.name)
        yield connected


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def plans() -> Plans:
    """Nobody has told of any: results are shown for 400 days."""
    return Plans(bus=None)  # type: ignore[arg-type]


@pytest.fixture
async def enricher(
    postgres: PostgresServer,  # noqa: F811
    nats: Bus,
    clock: SettableClock,
) -> AsyncIterator[Enricher]:
    async with database.connected(postgres.url("enrichment_worker")) as db:
        yield Enricher(Source(Kind.BARCODE, Lane.PREMIUM), ResultStore(db), nats, clock)


class Ingest(query_pb2_grpc.ScanServiceServicer):
    """Knows of no scan but dead ones, and of those their letters."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}
        self.later: set[str] = set()

    async def GetScan(self, request: query_pb2.GetScanRequest, context: object) -> query_pb2.GetScanResponse:
        assert identity.caller().company_id == request.company_id
        if request.scan_id in self.later:
            raise NotFound("not yet", reason=Reason.NOT_RECORDED_YET, retry_delay=timedelta(seconds=1))
        letter = self.letters.get(request.scan_id)
        raise NotFound("there is none", metadata={"dead_letter_id": letter} if letter else None)


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


@pytest.fixture
async def scans(ingest: Ingest, verifier: Verifier) -> AsyncIterator[Scans]:
    """Ingest, on a port of its own."""
    added = Added(query_pb2_grpc.add_ScanServiceServicer_to_server, ingest)
    async with (
        serving(verifier, added) as server,
        clients.channel([f"127.0.0.1:{server.port}"]) as channel,
    ):
        yield Scans(channel)


@pytest.fixture
async def enrichment(  # noqa: PLR0917 - fixtures
    postgres: PostgresServer,  # noqa: F811
    nats: Bus,
    plans: Plans,
    scans: Scans,
    clock: SettableClock,
    verifier: Verifier,
) -> AsyncIterator[enrichment_pb2_grpc.EnrichmentServiceStub]:
    """The service, on its own port."""
    async with database.connected(postgres.url("enrichment_app")) as db:
        servicer = EnrichmentServicer(ResultStore(db), scans, nats, plans, clock)
        added = Added(enrichment_pb2_grpc.add_EnrichmentServiceServicer_to_server, servicer)
        async with (
            serving(verifier, added) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            yield enrichment_pb2_grpc.EnrichmentServiceStub(channel)
