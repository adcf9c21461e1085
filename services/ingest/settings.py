"""What ingest's processes are told by their environment (`INGEST_*`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    stores_folder: Path | None = None
    """A folder on the disk of NATS and PostgreSQL, where this process shares a machine with them: scans are refused as
    OVERLOADED, bulk first, before that disk is full. Absent: somebody else looks after it."""
    stores_reserve_bytes: int = 2 * 1024**3
    """What no scan may have of that disk, in bytes, beside what those accepted will still take: PostgreSQL's
    `max_wal_size`, and as much again for all else that grows, logs among it."""

    def __post_init__(self) -> None:
        """Refuse what nobody can serve with."""
        problems = [
            *([] if self.shed_rate >= 1 else ["INGEST_SHED_RATE: must be at least 1"]),
            *([] if self.stores_reserve_bytes >= 1 else ["INGEST_STORES_RESERVE_BYTES: must be at least 1"]),
            *([] if self._stores_seen else [f"INGEST_STORES_FOLDER: {self.stores_folder} is no folder"]),
        ]
        if problems:
            raise SettingsError("\n".join(problems))

    @property
    def _stores_seen(self) -> bool:
        return self.stores_folder is None or self.stores_folder.is_dir()


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
