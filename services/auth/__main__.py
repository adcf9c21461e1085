"""`python -m services.auth serve|migrate|bootstrap`: the only place of auth that constructs anything."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scanmesh.auth.v1 import auth_pb2_grpc

from services.auth import audit, cache, users
from services.auth.check import Doorkeeper
from services.auth.check_server import CheckServer
from services.auth.control import Control
from services.auth.keys import Keyring
from services.auth.passwords import Passwords
from services.auth.resolver import Recogniser, Resolver
from services.auth.revocations import Revocations
from services.auth.seen import Seen
from services.auth.servicer_audit import AuditServicer
from services.auth.servicer_company import CompanyServicer
from services.auth.servicer_scanner import ScannerServicer
from services.auth.servicer_session import SessionServicer
from services.auth.servicer_user import UserServicer
from services.auth.sessions import RefreshTokens
from services.auth.settings import BootstrapSettings, Settings
from services.auth.store_audit import AuditStore
from services.auth.store_company import CompanyStore
from services.auth.store_credential import CredentialStore
from services.auth.store_mark import MarkStore
from services.auth.store_scanner import ScannerStore
from services.auth.store_seen import SeenStore
from services.auth.store_session import SessionStore
from services.auth.store_user import UserStore
from services.auth.tokens import AccessTokens, SessionTokens, published_keys
from services.auth.users import NewUser
from services.chassis import background, bus, clock, database, process, telemetry
from services.chassis.clock import Clock
from services.chassis.fields import Problems
from services.chassis.identity import PLATFORM, Role, Signer, Verifier
from services.chassis.plans import Plans
from services.chassis.server import Server
from services.chassis.settings import MigrateSettings, load

_PREFIX = "AUTH_"
MIGRATIONS = Path(__file__).parent / "migrations"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What auth stands on. None of it need be there when auth starts."""

    db: database.Database
    shared: cache.SharedCache
    nats: bus.Bus
    plans: Plans
    passwords: Passwords
    now: Clock = clock.now


async def serve(settings: Settings) -> None:
    """Answer the edge and the operators until stopped."""
    with telemetry.configured("auth", settings), Passwords() as passwords:
        async with (
            database.connected(settings.database_url) as db,
            cache.connected(settings.valkey_url) as shared,
            bus.connected(settings.nats_url, "auth") as nats,
            assembled(settings, Outside(db, shared, nats, Plans(nats), passwords)) as auth,
        ):
            await auth.server.until_stopped()


@dataclass(frozen=True, slots=True)
class Secrets:
    """What tokens and keys are made with, read from the files and variables of the settings."""

    signer: Signer
    keyring: Keyring
    tokens: SessionTokens

    @classmethod
    def read(cls, settings: Settings) -> Secrets:
        """Read them.

        Raises:
            SigningKeyUnknown: nobody could verify what this process signs.
        """
        signer = Signer.from_pem(settings.signing_key)
        jwks = published_keys(settings.identity_jwks, signer)
        access = AccessTokens(signer, Verifier.from_file(settings.identity_jwks))
        pepper = settings.key_pepper.reveal().encode()
        return cls(signer, Keyring(pepper), SessionTokens(access, RefreshTokens(pepper), jwks))


@dataclass(frozen=True, slots=True)
class Auth:
    """The service put together."""

    server: Server
    """For operators and services; to be started."""
    checks: CheckServer
    """For the edge; listens."""


@asynccontextmanager
async def assembled(settings: Settings, outside: Outside) -> AsyncIterator[Auth]:
    """Put the service together, its background work running and the edge being answered."""
    db, now, secrets = outside.db, outside.now, Secrets.read(settings)
    revocations, seen, sightings = Revocations(), Seen(), SeenStore(db)
    control = Control(outside.nats, outside.shared, MarkStore(db), revocations, now)
    resolver = Resolver(outside.shared, CredentialStore(db, region=settings.region), revocations, now)
    recogniser = Recogniser(secrets.keyring, secrets.tokens.access, resolver, now)

    server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks), clock=now)
    doorkeeper = Doorkeeper(recogniser, secrets.signer, seen, outside.plans, now)
    checks = CheckServer(doorkeeper, [resolver.ready], server.is_ending)
    _add_operators(server, settings, outside, secrets, control)
    work = (
        outside.plans.run(),
        control.follow(),
        control.beat(),
        control.publish_left_behind(),
        sightings.keep_flushing(seen),
    )
    async with background.running(server.end, *work), checks.listening(settings.check_listen):
        yield Auth(server, checks)
    await sightings.flush(seen)


def _add_operators(
    server: Server, settings: Settings, outside: Outside, secrets: Secrets, control: Control
) -> None:
    """Serve the operators' RPCs: all of them need the database."""
    db, now = outside.db, outside.now
    server.add(
        auth_pb2_grpc.add_SessionServiceServicer_to_server,
        SessionServicer(SessionStore(db), outside.passwords, secrets.tokens, control, clock=now),
        needs=[db.ping],
    )
    server.add(
        auth_pb2_grpc.add_CompanyServiceServicer_to_server,
        CompanyServicer(CompanyStore(db), control, region=settings.region, clock=now),
        needs=[db.ping],
    )
    server.add(
        auth_pb2_grpc.add_UserServiceServicer_to_server,
        UserServicer(UserStore(db), outside.passwords, control, clock=now),
        needs=[db.ping],
    )
    server.add(
        auth_pb2_grpc.add_ScannerServiceServicer_to_server,
        ScannerServicer(ScannerStore(db), secrets.keyring, control, outside.plans, clock=now),
        needs=[db.ping],
    )
    server.add(
        auth_pb2_grpc.add_AuditServiceServicer_to_server, AuditServicer(AuditStore(db)), needs=[db.ping]
    )


async def bootstrap(settings: BootstrapSettings, *, now: Clock = clock.now) -> bool:
    """Make the first platform admin, and tell whether there was none before.

    Raises:
        InvalidArgument: the email or the password is not acceptable.
    """
    email = users.normal_email(settings.platform_admin_email)
    password = settings.platform_admin_password.reveal()
    problems = Problems()
    users.check(problems, {"email": email, "password": password})
    problems.raise_any()
    entry = audit.Entry("", Role.PLATFORM_ADMIN, "bootstrap", now(), request_id="")
    async with database.connected(settings.database_url, pool_size=1) as db:
        store = UserStore(db)
        if await store.has_platform_admin():  # the usual case needs no hash
            return False
        with Passwords() as passwords:
            new = NewUser(PLATFORM, email, Role.PLATFORM_ADMIN, await passwords.hash(password))
            return await store.bootstrap(new, entry)


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix=_PREFIX, environ=environ, known=[MigrateSettings, BootstrapSettings]))


async def _migrate(environ: Mapping[str, str]) -> None:
    settings = load(MigrateSettings, prefix=_PREFIX, environ=environ, known=[Settings, BootstrapSettings])
    await database.migrate(settings.owner_database_url, MIGRATIONS, schema="auth")


async def _bootstrap(environ: Mapping[str, str]) -> None:
    settings = load(BootstrapSettings, prefix=_PREFIX, environ=environ, known=[Settings, MigrateSettings])
    made = await bootstrap(settings)
    _log.info("the platform admin is made" if made else "there is a platform admin already")


if __name__ == "__main__":
    process.main("auth", {"serve": _serve, "migrate": _migrate, "bootstrap": _bootstrap})
