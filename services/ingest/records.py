"""What can be said of a scan that was accepted: it is on record, it is dead, or it is not there, or not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis.errors import NotFound, Reason
from services.ingest.position import Position

_SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A scan on record."""

    company_id: int
    scan_id: UUID
    scanner_id: UUID
    kind: str
    lane: str
    region: str
    accept_time: datetime
    content: bytes
    """The serialised `Scan`: what the client set, and nothing else."""

    @property
    def position(self) -> Position:
        """Where it stands in a list."""
        return Position(self.accept_time, self.scan_id)


@dataclass(frozen=True, slots=True)
class Dead:
    """A scan that was accepted and could not be recorded."""

    scanner_id: UUID | None
    dead_letter_id: UUID


class ScanNotFound(NotFound):
    """The caller has no scan of this id on record, or none that its plan still shows."""

    def __init__(self, scan_id: str, dead: Dead | None = None) -> None:
        letter = {"dead_letter_id": str(dead.dead_letter_id)} if dead is not None else {}
        super().__init__("there is no such scan", metadata={"scan_id": scan_id, **letter})


class NotRecordedYet(NotFound):
    """The scan is not on record; it may be on its way there."""

    reason = Reason.NOT_RECORDED_YET
    default_retry_delay = _SOON

    def __init__(self, scan_id: str) -> None:
        super().__init__("the scan is not on record yet; ask again", metadata={"scan_id": scan_id})
