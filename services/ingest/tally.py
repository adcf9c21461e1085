"""What enrichment reports of recorded scans, read: numbers for the rollups, and letters whose scans live again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

from google.protobuf.message import DecodeError
from scanmesh.enrichment.v1 import events_pb2

from services.ingest.rollups import Count, Entry


class Unreadable(ValueError):
    """The bytes are not of a message of TALLY."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One event of TALLY."""

    event_id: UUID
    counts: Sequence[tuple[Entry, Count]]
    revived: Sequence[tuple[int, UUID]]
    """Companies and letters."""


def read(payload: bytes) -> Tally:
    """Read a message of TALLY.

    Raises:
        Unreadable: it is none.
    """
    try:
        event = events_pb2.ScansTallied.FromString(payload)
        return Tally(
            UUID(event.event_id),
            [_count(tally) for tally in event.tallies],
            sorted((letter.company_id, UUID(letter.dead_letter_id)) for letter in event.revived_letters),
        )
    except (DecodeError, ValueError, OverflowError) as error:
        raise Unreadable(f"the message cannot be read: {error!r}") from error


def _count(tally: events_pb2.Tally) -> tuple[Entry, Count]:
    minute = tally.minute_time.ToDatetime(UTC).replace(second=0, microsecond=0)
    entry = Entry(tally.company_id, UUID(tally.scanner_id), tally.kind, tally.region, minute)
    return entry, Count(enriched=tally.enriched, failed=tally.failed)
