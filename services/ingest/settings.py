"""What ingest's processes are told by their environment (`INGEST_*`)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.settings import ProcessSettings, Secret, ServerSettings, SettingsError


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """For `serve`."""

    database_url: Secret
    """PostgreSQL as the role `ingest_app`: postgresql+asyncpg://ingest_app:<password>@<host>:<port>/<database>."""
    read_database_url: Secret | None = None
    """A replica of it for queries, in the same form; what is not there yet is asked of the primary again. Absent: the
    primary answers queries."""
    nats_url: Secret
    """NATS, as the user `ingest`: `nats://user:password@host:port`, several with commas."""
    ratelimit_targets: tuple[str, ...]
    """Replicas of `ratelimit`, host:port with commas between. None of them need be there."""
    max_in_flight_bytes: int = 64 * 1024**2
    """Bytes of scans that are published, or wait to be, at once; more is refused as OVERLOADED. Memory takes a few times as much."""
    shed_rate: int = 5_000
    """Requests a second that this process serves; more are refused as OVERLOADED, bulk first (CONTRACT section 5)."""

    def __post_init__(self) -> None:
        if self.shed_rate < 1:
            raise SettingsError("INGEST_SHED_RATE: must be at least 1")


@dataclass(frozen=True, kw_only=True)
class RecordSettings(ProcessSettings):
    """For `record`."""

    database_url: Secret
    """PostgreSQL as the role `ingest_worker`, in the form of the one for `serve`."""
    nats_url: Secret
    """As for `serve`."""


@dataclass(frozen=True, kw_only=True)
class ProvisionSettings:
    """For `provision`."""

    nats_url: Secret
    """NATS, as a user who may manage streams."""
    streams_max_bytes: int = 9 * 1024**3
    """Size of all streams together on disk, in bytes, which must stay below the disk's reserve."""
