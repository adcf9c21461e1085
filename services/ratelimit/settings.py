"""What ratelimit's processes are told by their environment (`RATELIMIT_*`)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.settings import Secret, ServerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """The settings of `serve`."""

    database_url: Secret
    """PostgreSQL as the role `ratelimit_app`, in the form of AUTH_DATABASE_URL."""
    valkey_url: Secret
    """Valkey as the user `ratelimit`: redis://ratelimit:<password>@<host>:<port>/0."""
    nats_url: Secret
    """NATS as the user `ratelimit`: nats://ratelimit:<password>@<host>:<port>, several separated by commas."""
    billing_targets: tuple[str, ...]
    """The replicas of billing, host:port, several separated by commas."""
    auth_targets: tuple[str, ...]
    """The replicas of auth, likewise."""


@dataclass(frozen=True, kw_only=True)
class MigrateSettings:
    """The settings of `migrate`."""

    owner_database_url: Secret
    """PostgreSQL as the role `ratelimit_owner`, in the form of AUTH_DATABASE_URL."""
