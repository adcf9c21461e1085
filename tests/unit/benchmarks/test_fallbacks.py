"""Counting the requests that ingest has decided by buckets of its own."""

from __future__ import annotations

from benchmarks.chaos.fallbacks import counted

PAGE = """\
# HELP ingest_limiter_fallbacks_total requests that this process' own buckets decided
# TYPE ingest_limiter_fallbacks_total counter
ingest_limiter_fallbacks_total{otel_scope_name="ingest"} 3.0
ingest_limiter_fallbacks_total{otel_scope_name="other"} 4.0
ingest_limiter_fallbacks_total_created 1764120000.0
ingest_scans_total 9.0
"""


def test_all_series_of_the_counter_count() -> None:
    assert counted(PAGE) == 7.0


def test_counter_that_never_counted_is_none_at_all() -> None:
    assert counted("ingest_scans_total 9.0\n") == 0.0
