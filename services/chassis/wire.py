"""Python's times and spans as protobuf's."""

from __future__ import annotations

from datetime import datetime, timedelta

from google.protobuf import duration_pb2, timestamp_pb2


def timestamp(value: datetime) -> timestamp_pb2.Timestamp:
    """Write an aware time as a Timestamp, to the microsecond."""
    written = timestamp_pb2.Timestamp()
    written.FromDatetime(value)
    return written


def duration(value: timedelta) -> duration_pb2.Duration:
    """Write a span as a Duration, to the microsecond."""
    written = duration_pb2.Duration()
    written.FromTimedelta(value)
    return written
