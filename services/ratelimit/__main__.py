"""`python -m services.ratelimit serve|migrate`: the only place of ratelimit that constructs anything."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from scanmesh.auth.v1 import auth_pb2_grpc
from scanmesh.billing.v1 import usage_pb2_grpc
from scanmesh.ratelimit.v1 import limit_pb2_grpc, ratelimit_pb2_grpc

from services.chassis import background, bus, clients, clock, database, process, telemetry
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.identity import Verifier
from services.chassis.keyvalue import Replica
from services.chassis.plans import Plans
from services.chassis.server import Server
from services.chassis.settings import load
from services.chassis.subjects import TOTALS
from services.ratelimit import buckets
from services.ratelimit.directory import Directory
from services.ratelimit.override_source import OverrideSource
from services.ratelimit.servicer_limit import LimitServicer
from services.ratelimit.servicer_spend import RateLimitServicer
from services.ratelimit.settings import MigrateSettings, Settings
from services.ratelimit.spending import Sources, Spending
from services.ratelimit.store_override import OverrideStore
from services.ratelimit.totals import Totals
from services.ratelimit.upkeep import Upkeep

_PREFIX = "RATELIMIT_"
MIGRATIONS = Path(__file__).parent / "migrations"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What ratelimit stands on. None of it need be there when it starts."""

    db: database.Database
    limits: buckets.Buckets
    nats: bus.Bus
    billing: grpc.aio.Channel
    auth: grpc.aio.Channel
    now: Clock = clock.now


async def serve(settings: Settings) -> None:
    """Decide on scans, and show limits, until stopped."""
    with telemetry.configured("ratelimit", settings):
        async with (
            database.connected(settings.database_url) as db,
            buckets.connected(settings.valkey_url) as limits,
            bus.connected(settings.nats_url, "ratelimit") as nats,
            clients.channel(settings.billing_targets) as billing,
            clients.channel(settings.auth_targets) as auth,
            assembled(settings, Outside(db, limits, nats, billing, auth)) as server,
        ):
            await server.until_stopped()


@asynccontextmanager
async def assembled(settings: Settings, outside: Outside) -> AsyncIterator[Server]:
    """Put the service together, not started yet, with its background work running."""
    limits, now = outside.limits, outside.now
    store, plans = OverrideStore(outside.db), Plans(outside.nats)
    source = OverrideSource(store, limits, now)
    upkeep = Upkeep(limits, source, now)
    billing = usage_pb2_grpc.UsageServiceStub(outside.billing)
    totals = Totals(billing, limits, upkeep.heard, clock=now)
    spending = Spending(limits, Sources(plans.of, source, totals), upkeep, clock=now)

    server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks), clock=now)
    server.add(
        ratelimit_pb2_grpc.add_RateLimitServiceServicer_to_server,
        RateLimitServicer(spending, limits),
        needs=[limits.ping],
    )
    server.add(
        limit_pb2_grpc.add_LimitServiceServicer_to_server,
        LimitServicer(spending, store, source, _directory(outside), clock=now),
        needs=[outside.db.ping],
    )
    await _warm(limits)
    followed = Replica(outside.nats, TOTALS, totals.learn)
    async with background.running(server.end, plans.run(), followed.run(), upkeep.run()):
        yield server


async def _warm(limits: buckets.Buckets) -> None:
    """Spare the first spends the way to Valkey; if it is not there yet, they go that way themselves."""
    try:
        await limits.load()
    except Unavailable as error:
        _log.info("starting without Valkey", extra={"error": str(error)})


def _directory(outside: Outside) -> Directory:
    return Directory(
        auth_pb2_grpc.CompanyServiceStub(outside.auth), auth_pb2_grpc.ScannerServiceStub(outside.auth)
    )


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix=_PREFIX, environ=environ, known=[MigrateSettings]))


async def _migrate(environ: Mapping[str, str]) -> None:
    settings = load(MigrateSettings, prefix=_PREFIX, environ=environ, known=[Settings])
    await database.migrate(settings.owner_database_url, MIGRATIONS, schema="ratelimit")


if __name__ == "__main__":
    process.main("ratelimit", {"serve": _serve, "migrate": _migrate})
