"""A replica of billing on a port of its own, over a real PostgreSQL and NATS; auth is a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc
from scanmesh.billing.v1 import billing_pb2_grpc, usage_pb2_grpc

from services.billing import plan_file
from services.billing.__main__ import Outside, assembled
from services.billing.settings import Settings
from services.billing.store_ledger import LedgerStore
from services.chassis import bus, clients, database, identity
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, PermissionDenied
from services.chassis.identity import Identity, Role, Signer, Verifier
from services.chassis.wire import timestamp
from tests.fakes.identities import operator
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.rpc import Added, serving

CREATED = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Site:
    """What all replicas share."""

    signer: Signer
    jwks: Path
    postgres: PostgresServer
    nats: NatsServer


class Auth(auth_pb2_grpc.CompanyServiceServicer):
    """Knows companies below a million, all created at once."""

    def __init__(self) -> None:
        self.asked = 0

    async def GetCompany(self, request, context):
        self.asked += 1
        if identity.caller().company_id != request.company_id:
            raise PermissionDenied("another company")
        if request.company_id >= 1_000_000:
            raise NotFound("there is no such company")
        company = auth_pb2.Company(company_id=request.company_id, create_time=timestamp(CREATED))
        return auth_pb2.GetCompanyResponse(company=company)


class Replica:
    """Calls of one replica, and the ledger beside it."""

    def __init__(
        self, site: Site, channel: grpc.aio.Channel, ledger: LedgerStore, auth: Auth, *, clock: Clock
    ) -> None:
        self._signer = site.signer
        self._clock = clock
        self.billing = billing_pb2_grpc.BillingServiceStub(channel)
        self.usage = usage_pb2_grpc.UsageServiceStub(channel)
        self.ledger = ledger
        self.auth = auth

    def as_(self, role: Role, company_id: int) -> dict[str, Any]:
        """Answer the call options of an operator of a company."""
        return self._call(operator(role, company_id=company_id))

    @property
    def platform(self) -> dict[str, Any]:
        return self._call(operator(Role.PLATFORM_ADMIN))

    def _call(self, known: Identity) -> dict[str, Any]:
        return {"metadata": ((identity.METADATA_KEY, self._signer.sign(known, self._clock())),)}


@asynccontextmanager
async def running(site: Site, now: Clock) -> AsyncIterator[Replica]:
    """Run a replica."""
    auth, catalogue = Auth(), plan_file.load()
    add_auth = auth_pb2_grpc.add_CompanyServiceServicer_to_server
    async with (
        serving(Verifier.from_jwks(site.signer.jwks()), Added(add_auth, auth), clock=now) as auth_server,
        database.connected(site.postgres.url("billing_app")) as db,
        database.connected(site.postgres.url("billing_worker")) as worker,
        bus.connected(site.nats.url, "billing") as nats,
        clients.channel([f"127.0.0.1:{auth_server.port}"]) as to_auth,
    ):
        settings = Settings(
            identity_jwks=site.jwks,
            database_url=site.postgres.url("billing_app"),
            nats_url=site.nats.url,
            auth_targets=(f"127.0.0.1:{auth_server.port}",),
        )
        async with assembled(settings, Outside(db, nats, to_auth, now), catalogue) as server:
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                    yield Replica(site, channel, LedgerStore(worker, catalogue), auth, clock=now)
            finally:
                await server.stop()
