"""`python -m services.enrichment serve|work|migrate`: the only place of enrichment that constructs anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from scanmesh.enrichment.v1 import enrichment_pb2_grpc

from services.chassis import background, bus, clients, clock, database, process, subjects, telemetry
from services.chassis.attempts import Attempts
from services.chassis.clock import Clock
from services.chassis.identity import Verifier
from services.chassis.plans import Plans
from services.chassis.server import Server
from services.chassis.settings import MigrateSettings, load
from services.chassis.subjects import Lane
from services.chassis.work import Worker
from services.enrichment.kinds import KINDS
from services.enrichment.recorded import Source
from services.enrichment.retention import Retention
from services.enrichment.scans import Scans
from services.enrichment.servicer import EnrichmentServicer
from services.enrichment.settings import Settings, WorkSettings
from services.enrichment.store_result import ResultStore
from services.enrichment.store_retention import RetentionStore
from services.enrichment.worker import Enricher

MIGRATIONS = Path(__file__).parent / "migrations"
_PREFIX = "ENRICHMENT_"
_SCHEMA = "enrichment"
_SLOTS = {Lane.PREMIUM: 2, Lane.STANDARD: 2, Lane.BULK: 1}
"""Of the workers of one kind. Bulk never gets in the way of the others."""
_AT_ONCE = 32
_GATHER = timedelta(milliseconds=50)
"""A result may be there that much later."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What enrichment stands on. None of it need be there when enrichment starts."""

    db: database.Database
    nats: bus.Bus
    now: Clock = clock.now


async def serve(settings: Settings) -> None:
    """Answer what was made of scans until stopped."""
    with telemetry.configured("enrichment", settings):
        async with (
            database.connected(settings.database_url) as db,
            bus.connected(settings.nats_url, "enrichment") as nats,
            clients.channel(settings.ingest_targets) as ingest,
            assembled(settings, Outside(db, nats), Scans(ingest)) as server,
        ):
            await server.until_stopped()


@asynccontextmanager
async def assembled(settings: Settings, outside: Outside, scans: Scans) -> AsyncIterator[Server]:
    """Put the service together, not started yet, with its background work running."""
    db, nats, now = outside.db, outside.nats, outside.now
    plans = Plans(nats)
    server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks), clock=now)
    server.add(
        enrichment_pb2_grpc.add_EnrichmentServiceServicer_to_server,
        EnrichmentServicer(ResultStore(db), scans, nats, plans, now),
        needs=[db.ping],
    )
    async with background.running(server.end, plans.run()):
        yield server


async def work(settings: WorkSettings) -> None:
    """Enrich what is recorded until stopped."""
    with telemetry.configured("enrichment-worker", settings):
        async with (
            database.connected(settings.database_url) as db,
            bus.connected(settings.nats_url, "enrichment-worker") as nats,
        ):
            outside, plans = Outside(db, nats), Plans(nats)
            retention = Retention(RetentionStore(db), Attempts(db, _SCHEMA), plans, outside.now)
            running = [worker.run() for worker in workers(outside)]
            await background.until_stopped(*running, plans.run(), retention.run())


def workers(outside: Outside) -> Sequence[Worker]:
    """Answer the workers of one process: some for each kind and lane."""
    store, attempts = ResultStore(outside.db), Attempts(outside.db, _SCHEMA)
    return [
        Worker(
            outside.nats,
            subjects.RECORDED,
            subjects.enrichment(lane, kind),
            Enricher(Source(kind, lane), store, outside.nats, outside.now),
            attempts,
            at_once=_AT_ONCE,
            slots=slots,
            gather=_GATHER,
            needs=[outside.db.ping],
        )
        for kind in KINDS
        for lane, slots in _SLOTS.items()
    ]


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix=_PREFIX, environ=environ, known=[WorkSettings, MigrateSettings]))


async def _work(environ: Mapping[str, str]) -> None:
    await work(load(WorkSettings, prefix=_PREFIX, environ=environ, known=[Settings, MigrateSettings]))


async def _migrate(environ: Mapping[str, str]) -> None:
    settings = load(MigrateSettings, prefix=_PREFIX, environ=environ, known=[Settings, WorkSettings])
    await database.migrate(settings.owner_database_url, MIGRATIONS, schema=_SCHEMA)


if __name__ == "__main__":
    process.main("enrichment", {"serve": _serve, "work": _work, "migrate": _migrate})
