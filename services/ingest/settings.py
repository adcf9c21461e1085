"""What ingest is told by its environment (`INGEST_*`)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.settings import Secret, ServerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """For `serve`."""

    nats_url: Secret
    """NATS, as the user `ingest`: `nats://user:password@host:port`, several with commas."""
    max_in_flight_bytes: int = 64 * 1024**2
    """Bytes of scans that are published at once; more is refused as OVERLOADED. Memory takes a few times as much."""


@dataclass(frozen=True, kw_only=True)
class ProvisionSettings:
    """For `provision`."""

    nats_url: Secret
    """NATS, as a user who may manage streams."""
    streams_max_bytes: int = 9 * 1024**3
    """Size of all streams together on disk, in bytes, which must stay below the disk's reserve."""
