"""What billing's processes are told by their environment (`BILLING_*`)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.settings import ProcessSettings, Secret, ServerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """For `serve`."""

    database_url: Secret
    """PostgreSQL as the role `billing_app`: postgresql+asyncpg://billing_app:<password>@<host>:<port>/<database>."""
    nats_url: Secret
    """NATS, as the user `billing`: `nats://user:password@host:port`, several with commas."""
    auth_targets: tuple[str, ...]
    """Replicas of `auth`, host:port with commas between. None of them need be there when billing starts."""


@dataclass(frozen=True, kw_only=True)
class LedgerSettings(ProcessSettings):
    """For `ledger`."""

    database_url: Secret
    """PostgreSQL as the role `billing_worker`, in the form of the one for `serve`."""
    nats_url: Secret
    """As for `serve`."""


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """For `verify`."""

    database_url: Secret
    """As for `ledger`; nothing is written."""
