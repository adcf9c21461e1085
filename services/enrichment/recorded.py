"""ScansRecorded events as enrichment reads them: every scan with all that is said once for several.

Ingest's recorder writes them, so whatever cannot be read here is a fault of the mesh; it costs the whole message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import DecodeError
from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import ids
from services.chassis.subjects import Kind, Lane

DERIVATION_VERSION = 1
"""The newest version of the rules by which events are derived that this code knows."""


class Unreadable(Exception):
    """The bytes are no ScansRecorded event that the recorder could have written."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which scans: every kind and lane has a queue of its own."""

    kind: Kind
    lane: Lane


@dataclass(frozen=True, slots=True)
class RecordedScan:
    """A scan that is on record, and where it stands."""

    company_id: int
    scan_id: UUID
    index: int
    """Its place in the message that won the record, from 0."""
    scanner_id: UUID
    region: str
    accept_time: datetime
    scan: scan_pb2.Scan
    """As it was accepted."""

    @property
    def key(self) -> tuple[int, UUID, int]:
        """What joins a scan with its result: the place as well, never the id alone."""
        return self.company_id, self.scan_id, self.index

    @property
    def minute(self) -> int:
        """The minute in which it counts, as seconds since 1970: when it was scanned, else accepted."""
        timed = self.scan.HasField("scan_time")
        seconds = self.scan.scan_time.seconds if timed else int(self.accept_time.timestamp())
        return seconds - seconds % 60


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event."""

    version: int
    event_id: UUID
    replayed_id: UUID | None
    """In a replay, the event whose result failed for the one scan of this one."""
    scans: tuple[RecordedScan, ...]


def read(payload: bytes) -> Recorded:
    """Read an event.

    Raises:
        Unreadable: it is none.
    """
    try:
        event = events_pb2.ScansRecorded.FromString(payload)
        read = Recorded(
            version=event.derivation_version,
            event_id=UUID(event.event_id),
            replayed_id=UUID(event.replayed_event_id) if event.replayed_event_id else None,
            scans=tuple(scan for submission in event.submissions for scan in _scans(submission)),
        )
    except (DecodeError, ValueError, OverflowError) as error:
        raise Unreadable(f"not a ScansRecorded event: {error}") from error
    if read.version < 1:
        raise Unreadable("no version of the rules by which events are derived is stamped in it")
    if read.replayed_id is not None and len(read.scans) != 1:
        raise Unreadable("a replay has exactly one scan")
    return read


def _scans(submission: events_pb2.RecordedSubmission) -> Iterator[RecordedScan]:
    if submission.company_id < 1:
        raise ValueError("a company's id is at least 1")
    if "\0" in submission.region:  # PostgreSQL stores none; what else may be refused is the kind's own result
        raise ValueError("the region has a U+0000")
    scanner_id = UUID(submission.scanner_id)
    accept_time = submission.accept_time.ToDatetime(tzinfo=UTC)
    for each in submission.scans:
        yield RecordedScan(
            company_id=submission.company_id,
            scan_id=ids.parse(each.scan.scan_id),
            index=each.index,
            scanner_id=scanner_id,
            region=submission.region,
            accept_time=accept_time,
            scan=each.scan,
        )
