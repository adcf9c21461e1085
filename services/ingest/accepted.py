"""Messages of SCANS, read: every scan with what is said of its request, ready for the store.

A message that breaks the promise of its proto is unreadable as a whole: none of its scans can be told from the rest
with certainty, and no publisher of ours writes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import DecodeError
from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import ids
from services.chassis.errors import Unavailable
from services.chassis.subjects import Kind, Lane, scan_accepted
from services.ingest.digest import digest

VERSIONS = frozenset({1})
"""The versions of the rules by which this code can derive events. A new kind is a new version, too: a recorder that
does not know it leaves the message to one that does."""
_LANES = {scan_accepted(lane): lane for lane in Lane}


class Unreadable(ValueError):
    """The bytes are not of a message of SCANS."""


@dataclass(frozen=True, slots=True)
class AcceptedScan:
    """One scan of a message."""

    index: int
    """Its place, counted over all submissions of the message."""
    company_id: int
    scan_id: UUID
    scanner_id: UUID
    region: str
    accept_time: datetime
    kind: Kind
    digest: int
    scan_time: datetime | None
    """When the device says it saw it, to the microsecond; None without a clock."""
    scan: scan_pb2.Scan
    request: int = 0
    """The place of its submission in the message."""

    @property
    def key(self) -> tuple[int, UUID]:
        """What it is deduplicated by."""
        return self.company_id, self.scan_id


@dataclass(frozen=True, slots=True)
class Message:
    """One message of SCANS."""

    message_id: UUID
    sequence: int
    """Its number in the stream."""
    lane: Lane
    version: int
    """Of the rules by which events are derived from it."""
    replays: UUID | None
    """The message whose dead scan it brings back."""
    scans: tuple[AcceptedScan, ...]
    """In the order of their index."""


def read(message_id: str, sequence: int, subject: str, payload: bytes) -> Message:
    """Read a message of SCANS.

    Raises:
        Unreadable: it is none.
        Unavailable: it is of a later version, for a replica that knows its rules.
    """
    try:
        body = events_pb2.ScansAccepted.FromString(payload)
        if body.derivation_version > max(VERSIONS):
            raise Unavailable(f"a message of version {body.derivation_version} waits for a newer recorder")
        if body.derivation_version not in VERSIONS:
            raise Unreadable(f"there is no version {body.derivation_version}")
        scans = tuple(_scans(body))
        replays = UUID(body.replayed_message_id) if body.replayed_message_id else None
        lane = _LANES[subject]
        message = Message(UUID(message_id), sequence, lane, body.derivation_version, replays, scans)
    except (DecodeError, ValueError, KeyError, OverflowError) as error:
        raise Unreadable(f"the message cannot be read: {error!r}") from error
    if message.replays and len(message.scans) != 1:
        raise Unreadable(f"a replay has one scan, not {len(message.scans)}")
    return message


def _scans(body: events_pb2.ScansAccepted) -> Iterator[AcceptedScan]:
    index = 0
    for request, submission in enumerate(body.submissions):
        if submission.company_id < 1:
            raise Unreadable(f"there is no company {submission.company_id}")
        scanner_id = UUID(submission.scanner_id)
        accept_time = submission.accept_time.ToDatetime(UTC)
        for scan in submission.scans:
            yield AcceptedScan(
                index,
                submission.company_id,
                ids.parse(scan.scan_id),
                scanner_id,
                submission.region,
                accept_time,
                Kind(scan.WhichOneof("payload") or ""),
                digest(scan),
                scan.scan_time.ToDatetime(UTC) if scan.HasField("scan_time") else None,
                scan,
                request,
            )
            index += 1
