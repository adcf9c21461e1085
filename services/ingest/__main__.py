"""`python -m services.ingest serve|record|migrate|provision`: the only place of ingest that constructs anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from scanmesh.ingest.v1 import ingest_pb2_grpc, query_pb2_grpc
from scanmesh.ratelimit.v1 import ratelimit_pb2_grpc

from services.chassis import background, bus, clients, clock, database, process, subjects, telemetry
from services.chassis.clock import Clock
from services.chassis.identity import Verifier
from services.chassis.plans import Plans
from services.chassis.provision import provision
from services.chassis.server import Server
from services.chassis.settings import MigrateSettings, load
from services.ingest import errands
from services.ingest.acceptor import Acceptor, Room
from services.ingest.backlog import Backlog
from services.ingest.breaker import Breaker
from services.ingest.disk import Disk
from services.ingest.errands import Errands
from services.ingest.in_flight import InFlight
from services.ingest.limiter import Limiter
from services.ingest.publisher import ScanPublisher
from services.ingest.ratelimit import RateLimit
from services.ingest.recording import recording
from services.ingest.replayer import Replayer
from services.ingest.servicer import IngestServicer
from services.ingest.servicer_scan import Books, ScanServicer
from services.ingest.settings import ProvisionSettings, RecordSettings, Settings
from services.ingest.shedding import Shedder

_PREFIX = "INGEST_"
_SETTINGS = (Settings, RecordSettings, MigrateSettings, ProvisionSettings)
MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Outside:
    """What ingest stands on. None of it but the bus need be there when it starts."""

    nats: bus.Bus
    books: Books
    db: database.Database
    ratelimit: grpc.aio.Channel
    errands: Errands
    now: Clock = clock.now


async def serve(settings: Settings) -> None:
    """Take scans and answer what became of them until stopped; the port opens once every stream and durable exists."""
    with telemetry.configured("ingest", settings):
        async with (
            database.connected(settings.database_url) as db,
            _replica(settings) as replica,
            bus.connected(settings.nats_url, "ingest") as nats,
            clients.channel(settings.ratelimit_targets) as ratelimit,
            errands.running() as begun,
        ):
            await nats.until_required(*subjects.STREAMS)
            outside = Outside(nats, Books.of(db, replica), db, ratelimit, begun)
            async with assembled(settings, outside) as server:
                await server.until_stopped()


@asynccontextmanager
async def _replica(settings: Settings) -> AsyncIterator[database.Database | None]:
    async with AsyncExitStack() as stack:
        url = settings.read_database_url
        yield None if url is None else await stack.enter_async_context(database.connected(url))


@asynccontextmanager
async def assembled(settings: Settings, outside: Outside) -> AsyncIterator[Server]:
    """Put the service together, not started yet, with its background work running."""
    nats, now = outside.nats, outside.now
    backlog, plans = Backlog(nats, _disk(settings)), Plans(nats)
    ratelimit = RateLimit(ratelimit_pb2_grpc.RateLimitServiceStub(outside.ratelimit), Breaker())
    limiter = Limiter(ratelimit, outside.errands, now, plans.of)
    publisher = ScanPublisher(nats, InFlight(settings.max_in_flight_bytes))
    room = Room(Shedder(settings.shed_rate), backlog)
    acceptor = Acceptor(room, limiter, publisher, outside.errands, plans.of)

    server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks), clock=now)
    server.add(
        ingest_pb2_grpc.add_IngestServiceServicer_to_server,
        IngestServicer(acceptor, now),
        needs=[lambda: nats.require(subjects.SCANS)],
    )
    server.add(
        query_pb2_grpc.add_ScanServiceServicer_to_server,
        ScanServicer(outside.books, Replayer(outside.books.letters, nats, backlog), nats, plans, clock=now),
        needs=[outside.db.ping],
    )
    async with background.running(server.end, backlog.run(), plans.run()):
        yield server


def _disk(settings: Settings) -> Disk | None:
    folder = settings.stores_folder
    return None if folder is None else Disk(folder, settings.stores_reserve_bytes)


async def record(settings: RecordSettings) -> None:
    """Record accepted scans, tallies and dead letters until stopped."""
    with telemetry.configured("ingest-recorder", settings):
        async with (
            database.connected(settings.database_url) as db,
            bus.connected(settings.nats_url, "ingest-recorder") as nats,
        ):
            await nats.until_required(*subjects.STREAMS)
            await background.until_stopped(*recording(nats, db, clock.now))


async def make_streams(settings: ProvisionSettings) -> None:
    """Create every stream and durable of the mesh, or bring them up to date."""
    async with bus.connected(settings.nats_url, "provision") as nats:
        await nats.until_connected()
        await provision(nats.jetstream, subjects.STREAMS, max_bytes=settings.streams_max_bytes)


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix=_PREFIX, environ=environ, known=_SETTINGS))


async def _record(environ: Mapping[str, str]) -> None:
    await record(load(RecordSettings, prefix=_PREFIX, environ=environ, known=_SETTINGS))


async def _migrate(environ: Mapping[str, str]) -> None:
    settings = load(MigrateSettings, prefix=_PREFIX, environ=environ, known=_SETTINGS)
    await database.migrate(settings.owner_database_url, MIGRATIONS, schema="ingest")


async def _provision(environ: Mapping[str, str]) -> None:
    await make_streams(load(ProvisionSettings, prefix=_PREFIX, environ=environ, known=_SETTINGS))


if __name__ == "__main__":
    process.main("ingest", {"serve": _serve, "record": _record, "migrate": _migrate, "provision": _provision})
