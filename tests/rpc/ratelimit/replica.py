"""A replica of ratelimit on a port of its own, over a real PostgreSQL and Valkey; auth and billing are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc
from scanmesh.billing.v1 import usage_pb2, usage_pb2_grpc
from scanmesh.ratelimit.v1 import limit_pb2_grpc, ratelimit_pb2, ratelimit_pb2_grpc

from services.chassis import clients, database, ids
from services.chassis.errors import NotFound, Unavailable, from_status
from services.chassis.feed import Event
from services.chassis.identity import PLATFORM, Identity, Role, Signer, Verifier
from services.chassis.settings import Secret
from services.chassis.subjects import PLANS, Stream
from services.ratelimit import buckets
from services.ratelimit.__main__ import Outside, assembled
from services.ratelimit.quota import Base
from services.ratelimit.settings import Settings
from tests.fakes.auth import SettableClock
from tests.fakes.limits import message
from tests.servers.postgres import PostgresServer
from tests.servers.rpc import Added, serving, signed
from tests.servers.valkey import ValkeyServer

_PATIENCE = 5.0


class FakeAuth(auth_pb2_grpc.CompanyServiceServicer, auth_pb2_grpc.ScannerServiceServicer):
    """Knows the companies and scanners it is told."""

    def __init__(self) -> None:
        self.scanners: dict[tuple[int, str], int] = {}

    async def GetCompany(self, request, context):
        if request.company_id not in {company_id for company_id, _ in self.scanners}:
            raise NotFound("there is no such company")
        return auth_pb2.GetCompanyResponse()

    async def GetScanner(self, request, context):
        scanner_type = self.scanners.get((request.company_id, request.scanner_id))
        if scanner_type is None:
            raise NotFound("there is no such scanner")
        return auth_pb2.GetScannerResponse(scanner=auth_pb2.Scanner(type=scanner_type))


class FakeLedger(usage_pb2_grpc.UsageServiceServicer):
    """Holds the totals it is told."""

    def __init__(self) -> None:
        self.bases: dict[int, Base] = {}

    async def GetLedgerTotal(self, request, context):
        if request.company_id not in self.bases:
            raise Unavailable("the ledger is away")
        return usage_pb2.GetLedgerTotalResponse(total=message(self.bases[request.company_id]))


class SilentBus:
    """A bus that is away: nothing is heard of plans and totals."""

    async def state(self, stream: Stream) -> None:
        raise Unavailable("the bus is away")

    async def follow(self, stream: Stream, *, since: datetime, silence: Any) -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event(PLANS.name, b"", since)


@dataclass(frozen=True)
class Site:
    """What all replicas share."""

    signer: Signer
    settings: Settings
    auth: FakeAuth = field(default_factory=FakeAuth)
    ledger: FakeLedger = field(default_factory=FakeLedger)

    @classmethod
    def create(cls, signer: Signer, jwks: Path, postgres: PostgresServer, valkey: ValkeyServer) -> Site:
        settings = Settings(
            identity_jwks=jwks,
            database_url=postgres.url("ratelimit_app"),
            valkey_url=valkey.url("ratelimit"),
            nats_url=Secret("nats://ratelimit:unused@127.0.0.1:1"),
            billing_targets=(),
            auth_targets=(),
        )
        return cls(signer, settings)

    def scanner(self, company_id: int, scanner_type: int = auth_pb2.SCANNER_TYPE_DOCK) -> str:
        """Register a scanner."""
        scanner_id = str(ids.uuid7())
        self.auth.scanners[company_id, scanner_id] = scanner_type
        return scanner_id


def wish(company_id: int, scanner_id: str, cost: int = 1, **more: Any) -> ratelimit_pb2.SpendRequest:
    """Answer a request to spend, as ingest makes it."""
    asked = {"spend_id": ids.message_id(), "region": "local", "partial": True, **more}
    return ratelimit_pb2.SpendRequest(company_id=company_id, scanner_id=scanner_id, cost=cost, **asked)


class Replica:
    """Calls of one replica."""

    def __init__(self, site: Site, channel: grpc.aio.Channel) -> None:
        self._signer = site.signer
        self.limits = limit_pb2_grpc.LimitServiceStub(channel)
        self._spending = ratelimit_pb2_grpc.RateLimitServiceStub(channel)

    def as_(self, role: Role, company_id: int = PLATFORM) -> dict[str, Any]:
        """Answer the call options of a caller with this role."""
        known = Identity(company_id, str(ids.uuid7()), role, "standard", "local")
        return {"metadata": signed(self._signer, known)}

    @property
    def platform(self) -> dict[str, Any]:
        return self.as_(Role.PLATFORM_ADMIN)

    async def spend(
        self,
        company_id: int,
        scanner_id: str,
        cost: int = 1,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's name
        **more: Any,
    ):
        return await self.spend_as(wish(company_id, scanner_id, cost, **more), timeout=timeout)

    async def spend_as(
        self,
        asked: ratelimit_pb2.SpendRequest,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's name
    ):
        return await self._spending.Spend(asked, timeout=timeout)

    async def spend_many(self, *wishes: ratelimit_pb2.SpendRequest):
        """Spend in company; answer an outcome for each, a response or the error that it stands for."""
        answer = await self._spending.SpendMany(ratelimit_pb2.SpendManyRequest(spends=wishes))
        return [
            outcome.response if outcome.HasField("response") else from_status(outcome.error)
            for outcome in answer.outcomes
        ]

    async def refund(self, company_id: int, spend_id: str, count: int):
        request = ratelimit_pb2.RefundRequest(company_id=company_id, spend_id=spend_id, count=count)
        return await self._spending.Refund(request)


@asynccontextmanager
async def running(site: Site, clock: SettableClock) -> AsyncIterator[Replica]:
    """Run a replica beside its auth and its billing."""
    verifier = Verifier.from_jwks(site.signer.jwks())
    auth = Added(auth_pb2_grpc.add_CompanyServiceServicer_to_server, site.auth)
    scanners = Added(auth_pb2_grpc.add_ScannerServiceServicer_to_server, site.auth)
    ledger = Added(usage_pb2_grpc.add_UsageServiceServicer_to_server, site.ledger)
    async with (
        serving(verifier, auth, scanners, ledger) as others,
        clients.channel([f"127.0.0.1:{others.port}"]) as channel,
        database.connected(site.settings.database_url) as db,
        buckets.connected(site.settings.valkey_url, ask_seconds=_PATIENCE) as limits,
        assembled(site.settings, Outside(db, limits, SilentBus(), channel, channel, clock)) as server,  # type: ignore[arg-type]
    ):
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as own:
                yield Replica(site, own)
        finally:
            await server.stop()
