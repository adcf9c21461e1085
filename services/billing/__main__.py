"""`python -m services.billing serve|ledger|migrate|verify`: the only place of billing that constructs anything."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from scanmesh.billing.v1 import billing_pb2_grpc, usage_pb2_grpc

from services.billing import consumer, plan_file
from services.billing.companies import Companies
from services.billing.consumer import UsageHandler
from services.billing.housekeeping import keep_tidy
from services.billing.left_behind import LeftBehind
from services.billing.offering import keep_offered
from services.billing.plans import Catalogue
from services.billing.progress import Progress
from services.billing.publisher import Publisher
from services.billing.servicer_billing import BillingServicer
from services.billing.servicer_usage import UsageServicer
from services.billing.settings import LedgerSettings, Settings, VerifySettings
from services.billing.store_books import Books
from services.billing.store_ledger import LedgerStore
from services.billing.store_progress import ProgressStore
from services.billing.store_subscription import SubscriptionStore
from services.billing.store_threshold import ThresholdStore
from services.billing.store_usage import UsageStore
from services.billing.subscribers import Subscribers
from services.billing.verify import Verification
from services.chassis import background, bus, clients, clock, database, process, subjects, telemetry
from services.chassis.attempts import Attempts
from services.chassis.clock import Clock
from services.chassis.identity import Verifier
from services.chassis.server import Server
from services.chassis.settings import MigrateSettings, load
from services.chassis.work import Worker

_PREFIX = "BILLING_"
_SCHEMA = "billing"
_SETTINGS = (Settings, LedgerSettings, VerifySettings, MigrateSettings)
_SLOTS = 2
"""Fetches of one process that are written at once: one waits for the disk while the other is read."""
_GATHER = timedelta(milliseconds=200)
"""A scan may be on the bill that much later."""
MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Outside:
    """What billing stands on. None of it need be there when it starts."""

    db: database.Database
    nats: bus.Bus
    auth: grpc.aio.Channel
    now: Clock = clock.now


async def serve(settings: Settings) -> None:
    """Answer operators and the limiter until stopped."""
    with telemetry.configured("billing", settings):
        async with (
            database.connected(settings.database_url) as db,
            bus.connected(settings.nats_url, "billing") as nats,
            clients.channel(settings.auth_targets) as auth,
            assembled(settings, Outside(db, nats, auth), plan_file.load()) as server,
        ):
            await server.until_stopped()


@asynccontextmanager
async def assembled(settings: Settings, outside: Outside, catalogue: Catalogue) -> AsyncIterator[Server]:
    """Put the service together, not started yet, with its background work running."""
    db, now = outside.db, outside.now
    store = SubscriptionStore(db, catalogue)
    publisher = Publisher(outside.nats, store)
    subscribers = Subscribers(store, Companies(outside.auth), catalogue, publisher)
    usage = UsageStore(db)

    server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks), clock=now)
    server.add(
        billing_pb2_grpc.add_BillingServiceServicer_to_server,
        BillingServicer(catalogue, subscribers, usage, clock=now),
        needs=[db.ping],
    )
    server.add(
        usage_pb2_grpc.add_UsageServiceServicer_to_server, UsageServicer(usage, clock=now), needs=[db.ping]
    )
    async with background.running(server.end, keep_offered(publisher, catalogue)):
        yield server


async def ledger(settings: LedgerSettings) -> None:
    """Take in usage and move the watermark until stopped."""
    with telemetry.configured("billing-ledger", settings):
        async with (
            database.connected(settings.database_url) as db,
            bus.connected(settings.nats_url, "billing-ledger") as nats,
        ):
            await background.until_stopped(*keeping(db, nats, plan_file.load(), clock.now))


def keeping(
    db: database.Database, nats: bus.Bus, catalogue: Catalogue, now: Clock
) -> list[Coroutine[Any, Any, None]]:
    """Answer the work of the ledger process, none of which ends by itself."""
    subscriptions, attempts = SubscriptionStore(db, catalogue), Attempts(db, _SCHEMA)
    publisher = Publisher(nats, subscriptions)
    left_behind = LeftBehind(publisher, subscriptions, ThresholdStore(db), catalogue)
    entries = LedgerStore(db, catalogue)
    workers = [
        Worker(
            nats,
            subjects.USAGE,
            subjects.ledger(meter),
            UsageHandler(nats, entries, meter, now, wake=left_behind.wake),
            attempts,
            at_once=consumer.AT_ONCE,
            slots=_SLOTS,
            gather=_GATHER,
            needs=[db.ping],
        )
        for meter in subjects.Meter
    ]
    progress = Progress(nats, ProgressStore(db), publisher, now)
    others = (progress.run(), left_behind.run(), keep_tidy(attempts))
    return [*(worker.run() for worker in workers), *others]


async def verify(settings: VerifySettings, *, now: Clock = clock.now) -> bool:
    """Check the ledger against itself, print every difference and a line of counts, and tell whether all is well."""
    differences = 0
    async with database.connected(settings.database_url, pool_size=1) as db:
        verification = Verification(Books(db), plan_file.load())
        async for difference in verification.differences(now()):
            differences += 1
            sys.stdout.write(f"{difference}\n")
    counts = (
        f"{verification.companies} companies, {verification.totals} totals, {verification.entries} entries"
    )
    sys.stdout.write(f"{counts}: {differences or 'no'} differences\n")
    return not differences


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix=_PREFIX, environ=environ, known=_SETTINGS))


async def _ledger(environ: Mapping[str, str]) -> None:
    await ledger(load(LedgerSettings, prefix=_PREFIX, environ=environ, known=_SETTINGS))


async def _migrate(environ: Mapping[str, str]) -> None:
    settings = load(MigrateSettings, prefix=_PREFIX, environ=environ, known=_SETTINGS)
    await database.migrate(settings.owner_database_url, MIGRATIONS, schema=_SCHEMA)


async def _verify(environ: Mapping[str, str]) -> None:
    if not await verify(load(VerifySettings, prefix=_PREFIX, environ=environ, known=_SETTINGS)):
        sys.exit(1)


if __name__ == "__main__":
    process.main("billing", {"serve": _serve, "ledger": _ledger, "migrate": _migrate, "verify": _verify})
