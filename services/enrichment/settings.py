"""What enrichment's processes are told by their environment (`ENRICHMENT_*`)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.settings import ProcessSettings, Secret, ServerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """The settings of `serve`."""

    database_url: Secret
    """PostgreSQL as the role `enrichment_app`: postgresql+asyncpg://enrichment_app:<password>@<host>:<port>/<database>."""
    nats_url: Secret
    """NATS as the user `enrichment`: nats://enrichment:<password>@<host>:<port>, several separated by commas."""
    ingest_targets: tuple[str, ...]
    """Replicas of `ingest`, host:port with commas between. None of them need be there when enrichment starts."""


@dataclass(frozen=True, kw_only=True)
class WorkSettings(ProcessSettings):
    """The settings of `work`."""

    database_url: Secret
    """PostgreSQL as the role `enrichment_worker`, in the form of `serve`'s."""
    nats_url: Secret
    """As for `serve`."""
