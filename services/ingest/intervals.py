"""The intervals in which scans are counted: whole minutes, hours and days in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from scanmesh.ingest.v1 import query_pb2

from services.chassis.errors import InvalidArgument, Violation
from services.chassis.fields import Problems, check_name
from services.ingest import queries

MAX_COUNTS = 20_000
"""Counts in an answer: of the 4 MiB that gRPC clients take, one fills at most 170 bytes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Bucket(StrEnum):
    """How long an interval is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """Its length; a day in UTC has 24 hours, always."""
        return timedelta(**{f"{self}s": 1})

    def begin(self, time: datetime) -> datetime:
        """Answer when the interval begins in which `time` lies."""
        return time - (time - _EPOCH) % self.length


_MOST = {Bucket.MINUTE: 1_500, Bucket.HOUR: 1_500, Bucket.DAY: 400}
"""Intervals in an answer: a day's minutes, two months' hours, and as many days as the longest plan keeps."""


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """What is to be counted."""

    bucket: Bucket
    start: datetime
    """When the first interval begins."""
    end: datetime
    """When the last interval ends."""
    scanner_id: UUID | None
    """None: all scanners together."""
    kind: str
    """Empty: each kind by itself."""
    region: str
    """Empty: each region by itself."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in one interval to scans of one kind and region."""

    start: datetime
    kind: str
    region: str
    recorded: int
    enriched: int
    failed: int


class TooManyCounts(InvalidArgument):
    """The answer would have more counts than one can carry."""

    def __init__(self) -> None:
        description = f"leads to more than {MAX_COUNTS} counts: ask for a shorter span, or for one region"
        super().__init__(
            "the answer would be too large", violations=[Violation(field="end_time", description=description)]
        )


def parse(request: query_pb2.GetScanStatsRequest) -> StatsQuery:
    """Read what is to be counted.

    Raises:
        InvalidArgument: with everything that is wrong.
    """
    problems = Problems()
    bucket = _bucket(problems, request)
    start, end = _span(problems, request, bucket)
    scanner_id = queries.scanner(problems, request.scanner_id)
    for field in ("kind", "region"):
        if getattr(request, field):
            check_name(problems, field, getattr(request, field))
    problems.raise_any()
    return StatsQuery(bucket, start, end, scanner_id, request.kind, request.region)


def _bucket(problems: Problems, request: query_pb2.GetScanStatsRequest) -> Bucket:
    """Answer the bucket; one that cannot be read is noted and passes for the longest, which bounds the span least."""
    if request.bucket not in set(Bucket):
        problems.add("bucket", "must be minute, hour or day")
        return Bucket.DAY
    if request.bucket == Bucket.MINUTE and request.scanner_id:
        problems.add("scanner_id", "a scanner is counted by the hour and the day, not by the minute")
    return Bucket(request.bucket)


def _span(
    problems: Problems, request: query_pb2.GetScanStatsRequest, bucket: Bucket
) -> tuple[datetime, datetime]:
    """Answer when the first interval begins and the last one ends; what cannot be read is noted."""
    for field in ("start_time", "end_time"):
        if not request.HasField(field):
            problems.add(field, "is required")
    start, end = queries.span(problems, request)
    if start is None or end is None:
        return _EPOCH, _EPOCH
    first, last = bucket.begin(start), bucket.begin(end - timedelta(microseconds=1))
    if (last - first) // bucket.length >= _MOST[bucket]:
        problems.add("end_time", f"must be at most {_MOST[bucket]} {bucket}s after start_time")
    return first, last + bucket.length
