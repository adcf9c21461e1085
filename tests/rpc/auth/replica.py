"""A replica of auth on a port of its own, over a real PostgreSQL and Valkey, and what to ask it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_status import rpc_status
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc
from yarl import URL

from services.auth import cache
from services.auth.__main__ import Outside, assembled
from services.auth.check import Answer
from services.auth.check_server import CHECK, LIVE, READY
from services.auth.passwords import Passwords
from services.auth.settings import Settings
from services.chassis import database, errors, identity
from services.chassis.errors import MeshError
from services.chassis.identity import Identity, Role, Signer, Verifier
from services.chassis.ids import uuid7
from services.chassis.settings import Secret
from tests.fakes.auth import FakeBus, SettableClock
from tests.fakes.plans import FakePlans
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Site:
    """What all replicas share."""

    settings: Settings
    signer: Signer
    postgres: PostgresServer
    valkey: ValkeyServer

    @classmethod
    def create(cls, postgres: PostgresServer, valkey: ValkeyServer, directory: Path) -> Site:
        key = Ed25519PrivateKey.generate()
        pem = directory / "key.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        jwks = directory / "jwks.json"
        jwks.write_text(json.dumps(Signer(key).jwks()))
        settings = Settings(
            identity_jwks=jwks,
            signing_key=pem,
            database_url=postgres.url("auth_app"),
            valkey_url=valkey.url("auth"),
            nats_url=Secret("nats://auth:unused@127.0.0.1:1"),
            key_pepper=Secret(secrets.token_hex(32)),
        )
        return cls(settings, Signer(key), postgres, valkey)


class Replica:
    """Calls of one replica, made as the platform's admin unless said otherwise."""

    def __init__(
        self, site: Site, channel: grpc.aio.Channel, db: database.Database, clock: SettableClock
    ) -> None:
        self.db = db
        self.edge: aiohttp.ClientSession
        self.checks_port: int
        self.stop: Callable[[], Awaitable[None]]
        self._signer = site.signer
        self._verifier = Verifier.from_jwks(site.signer.jwks())
        self._clock = clock
        self.sessions = auth_pb2_grpc.SessionServiceStub(channel)
        self.companies = auth_pb2_grpc.CompanyServiceStub(channel)
        self.users = auth_pb2_grpc.UserServiceStub(channel)
        self.scanners = auth_pb2_grpc.ScannerServiceStub(channel)
        self.audit = auth_pb2_grpc.AuditServiceStub(channel)

    def as_(self, role: Role, company_id: int = identity.PLATFORM, **who: str) -> dict[str, Any]:
        """Answer the call options of a caller with this role."""
        known = {"subject": str(uuid7()), "lane": "standard", "region": "local", **who}
        token = self._signer.sign(Identity(company_id=company_id, role=role, **known), self._clock())
        return {"metadata": ((identity.METADATA_KEY, token),)}

    @property
    def platform(self) -> dict[str, Any]:
        return self.as_(Role.PLATFORM_ADMIN)

    async def company(self, **fields: Any) -> int:
        """Make a company and answer its id."""
        company = auth_pb2.Company(**{"display_name": "Acme", **fields})
        made = await self.companies.CreateCompany(
            auth_pb2.CreateCompanyRequest(company=company), **self.platform
        )
        return made.company.company_id

    async def scanner(self, company_id: int, **fields: Any) -> auth_pb2.RegisterScannerResponse:
        """Register a scanner."""
        scanner = auth_pb2.Scanner(
            **{"display_name": "Gate 1", "type": auth_pb2.SCANNER_TYPE_FIXED, **fields}
        )
        return await self.scanners.RegisterScanner(
            auth_pb2.RegisterScannerRequest(company_id=company_id, scanner=scanner), **self.platform
        )

    async def user(self, company_id: int, role: int = auth_pb2.ROLE_ADMIN) -> auth_pb2.User:
        """Make a user whose password is `PASSWORD`."""
        user = auth_pb2.User(email=f"{uuid7()}@example.com", role=role, password=PASSWORD)
        made = await self.users.CreateUser(
            auth_pb2.CreateUserRequest(company_id=company_id, user=user), **self.platform
        )
        return made.user

    async def sign_in(self, email: str, password: str = PASSWORD) -> auth_pb2.CreateSessionResponse:
        return await self.sessions.CreateSession(
            auth_pb2.CreateSessionRequest(email=email, password=password)
        )

    async def check(self, address: str = "192.0.2.1", **headers: str) -> Answer:
        """Ask as the edge does; `x_api_key` stands for `x-api-key`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask(f"{CHECK}/v1/scans", {"x-envoy-external-address": address, **told})

    async def ask(self, path: str, headers: Any = (), *, method: str = "POST") -> Answer:
        """Ask whatever it is on the port for checks."""
        async with self.edge.request(method, URL(path, encoded=True), headers=headers) as response:
            answered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, answered, await response.text())

    async def is_live(self) -> bool:
        return (await self.ask(LIVE, method="GET")).status == 200

    async def is_ready(self) -> bool:
        return (await self.ask(READY, method="GET")).status == 200

    async def identity_of(self, **headers: str) -> Identity:
        """Answer whom a request with these headers is let in as.

        Raises:
            Refused: it is not let in.
        """
        answer = await self.check(**headers)
        if answer.status != 200:
            raise Refused(answer)
        return self._verifier.verify(token(answer), self._clock())

    async def admits(self, api_key: str) -> bool:
        """Tell whether a scanner with this key is let in."""
        return (await self.check(x_api_key=api_key)).status == 200


class Refused(Exception):
    """A request was not let in."""


def token(answer: Answer) -> str:
    """Answer the identity token of a request that was let in."""
    return answer.headers[identity.METADATA_KEY]


def denied(answer: Answer) -> tuple[int, str]:
    """Answer the HTTP status and the reason of a request that was not let in over HTTP."""
    return answer.status, json.loads(answer.body)["details"][0]["reason"]


async def failure(call: Any) -> MeshError:
    """Await a call that must fail and answer its error."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    status = rpc_status.from_call(failed.value)
    assert status is not None, failed.value.details()
    return errors.from_status(status)


@asynccontextmanager
async def running(
    site: Site, bus: FakeBus, plans: FakePlans, passwords: Passwords, clock: SettableClock
) -> AsyncIterator[Replica]:
    """Run a replica."""
    async with (
        database.connected(site.settings.database_url) as db,
        cache.connected(site.settings.valkey_url) as shared,
        assembled(site.settings, Outside(db, shared, bus, plans, passwords, clock)) as auth,  # type: ignore[arg-type]
        aiohttp.ClientSession(f"http://127.0.0.1:{auth.checks.port}") as edge,
    ):
        await auth.server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{auth.server.port}") as channel:
                replica = Replica(site, channel, db, clock)
                replica.edge, replica.checks_port = edge, auth.checks.port
                yield replica
        finally:
            await auth.server.stop()
