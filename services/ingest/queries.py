"""What operators and scanners ask of the record, read from requests: all violations at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.ingest.v1 import query_pb2

from services.chassis import paging
from services.chassis.fields import Problems, check_name, resource_id
from services.chassis.paging import Page
from services.ingest.position import Position

SCANS = "scans"
"""The name of the list in its page tokens."""
_AHEAD = timedelta(days=1)
"""By how much the clock of whoever accepts may be ahead of ours; far more than it ever is."""
_FIRST_WINDOW = _AHEAD + timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_SECONDS = range(-62_135_596_800, 253_402_300_800)
"""The years 1 to 9999, as protobuf has it."""
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Some mean "for ever" by the last second there is: this is as good, and one can go on from it."""


@dataclass(frozen=True, slots=True)
class ScanQuery:
    """Which scans are to be listed."""

    start: datetime
    """Accepted then or later; nothing that the plan no longer shows."""
    end: datetime
    """Accepted before that."""
    kind: str
    """Empty: of all kinds."""
    scanner_ids: frozenset[UUID]
    """Of all of these scanners at once: of one, of any if empty, of none if there are two."""
    page: Page[Position]

    def windows(self) -> Iterator[tuple[datetime, datetime]]:
        """Cut the time that is asked for into spans, newest first, each twice as long as the one before.

        Every day is a table of its own. A page is nearly always filled by the newest ones, and planning a query over
        all 400 would take longer than running it; a page that lies far back is still found in a few steps.
        """
        after = self.page.after
        high = self.end if after is None else min(self.end, after.time + _TICK)
        length = _FIRST_WINDOW
        while high > self.start:
            low = max(self.start, high - length)
            yield low, high
            high, length = low, 2 * length


def scans(
    request: query_pb2.ListScansRequest, *, oldest: datetime, now: datetime, own: UUID | None
) -> ScanQuery:
    """Read which scans are to be listed.

    Args:
        request: the request.
        oldest: the accept time of the oldest scan that the company's plan still shows.
        now: the time of the request.
        own: the scanner that asks, which sees its own scans only; None for operators.

    Raises:
        InvalidArgument: with everything that is wrong.
    """
    problems = Problems()
    start, end = span(problems, request)
    named = scanner(problems, request.scanner_id)
    if request.kind:
        check_name(problems, "kind", request.kind)
    page = paging.read(problems, request.page_size, request.page_token, listing=SCANS, key=Position.read)
    problems.raise_any()
    return ScanQuery(
        start=max(start or oldest, oldest),
        end=min(end or now + _AHEAD, now + _AHEAD),
        kind=request.kind,
        scanner_ids=frozenset(each for each in (named, own) if each is not None),
        page=page,
    )


def scanner(problems: Problems, scanner_id: str) -> UUID | None:
    """Read the scanner that is asked for; None if none is."""
    read = resource_id(scanner_id) if scanner_id else None
    if scanner_id and read is None:
        problems.add("scanner_id", "must be a scanner's id: a UUID in lower case")
    return read


def span(
    problems: Problems, request: query_pb2.ListScansRequest | query_pb2.GetScanStatsRequest
) -> tuple[datetime | None, datetime | None]:
    """Read from when and until when is asked for; None where it is not given or cannot be read."""
    start = _time(problems, "start_time", request.start_time) if request.HasField("start_time") else None
    end = _time(problems, "end_time", request.end_time) if request.HasField("end_time") else None
    if start is not None and end is not None and end <= start:
        problems.add("end_time", "must be later than start_time")
    return start, end


def _time(problems: Problems, field: str, at: Timestamp) -> datetime | None:
    """Read a time to the microsecond, as times are stored; None, noted, for one that is none."""
    if at.seconds not in _SECONDS or not 0 <= at.nanos < 1_000_000_000:
        problems.add(field, "is not a valid timestamp")
        return None
    return min(_EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1_000), _LATEST)
