"""Rollups: how many scans were recorded, enriched and given up, by the minute and, for each scanner, by the hour.

The scan's own time decides the interval; a device without a clock is counted by the accept time. Numbers of one row
are added up before they are written, and rows are in the order of their keys: two writers never wait crosswise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.ingest.accepted import AcceptedScan


class Minute(NamedTuple):
    """The key of a row that counts all scanners of a company."""

    company_id: int
    minute_time: datetime
    kind: str
    region: str


class Hour(NamedTuple):
    """The key of a row that counts one scanner."""

    company_id: int
    scanner_id: UUID
    hour_time: datetime
    kind: str
    region: str


class Count(NamedTuple):
    """What is added to a row."""

    recorded: int = 0
    enriched: int = 0
    failed: int = 0

    def plus(self, other: Count) -> Count:
        """Add two up."""
        return Count(
            self.recorded + other.recorded, self.enriched + other.enriched, self.failed + other.failed
        )


@dataclass(frozen=True, slots=True)
class Deltas:
    """What is added to which rows, in the order of their keys."""

    minutes: dict[Minute, Count]
    hours: dict[Hour, Count]


class Entry(NamedTuple):
    """What is counted together."""

    company_id: int
    scanner_id: UUID
    kind: str
    region: str
    minute_time: datetime


def recorded(scans: Iterable[AcceptedScan]) -> Deltas:
    """Count scans that are on record now and were not before."""
    counts: dict[Entry, int] = defaultdict(int)
    for scan in scans:
        minute = (scan.scan_time or scan.accept_time).replace(second=0, microsecond=0)
        counts[Entry(scan.company_id, scan.scanner_id, scan.kind, scan.region, minute)] += 1
    return folded((entry, Count(recorded=count)) for entry, count in counts.items())


def folded(counts: Iterable[tuple[Entry, Count]]) -> Deltas:
    """Add up counts by the rows they go to."""
    minutes: dict[Minute, Count] = defaultdict(Count)
    hours: dict[Hour, Count] = defaultdict(Count)
    for entry, count in counts:
        minute = Minute(entry.company_id, entry.minute_time, entry.kind, entry.region)
        hour_time = entry.minute_time.replace(minute=0)
        hour = Hour(entry.company_id, entry.scanner_id, hour_time, entry.kind, entry.region)
        minutes[minute] = minutes[minute].plus(count)
        hours[hour] = hours[hour].plus(count)
    return Deltas(dict(sorted(minutes.items())), dict(sorted(hours.items())))
