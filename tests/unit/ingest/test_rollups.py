"""Numbers go to the intervals of the scans' own times, added up by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from scanmesh.ingest.v1 import events_pb2

from services.chassis import wire
from services.chassis.subjects import Lane, scan_accepted
from services.ingest import accepted, rollups
from services.ingest.rollups import Count, Entry
from tests.fakes.scans import scan

NOW = datetime(2026, 11, 20, 12, 59, 59, 999_999, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)


def scans(*made, scanner_id=ONE):
    request = events_pb2.Submission(
        company_id=1, scanner_id=str(scanner_id), region="local", accept_time=wire.timestamp(NOW), scans=made
    )
    body = events_pb2.ScansAccepted(derivation_version=1, submissions=[request])
    return accepted.read("0" * 32, 1, scan_accepted(Lane.BULK), body.SerializeToString()).scans


def test_the_scans_own_time_decides_and_else_the_accept_time():
    early = scan(scan_time=wire.timestamp(NOW - timedelta(days=1)))
    deltas = rollups.recorded(scans(early, scan()))
    assert [minute.minute_time for minute in deltas.minutes] == [
        datetime(2026, 11, 19, 12, 59, tzinfo=UTC),
        datetime(2026, 11, 20, 12, 59, tzinfo=UTC),
    ]
    assert [hour.hour_time.hour for hour in deltas.hours] == [12, 12]


def test_minutes_count_scanners_together_and_hours_apart():
    deltas = rollups.recorded([*scans(scan(), scan()), *scans(scan(), scanner_id=TWO)])
    assert list(deltas.minutes.values()) == [Count(recorded=3)]
    assert {hour.scanner_id: count.recorded for hour, count in deltas.hours.items()} == {ONE: 2, TWO: 1}


def test_rows_are_in_the_order_of_their_keys():
    minutes = [NOW.replace(second=0, microsecond=0) - timedelta(minutes=number) for number in range(5)]
    entries = [
        (Entry(company, scanner, "barcode", "local", minute), Count(enriched=1, failed=-1))
        for company in (2, 1)
        for scanner in (TWO, ONE)
        for minute in minutes
    ]
    deltas = rollups.folded(entries)
    assert list(deltas.minutes) == sorted(deltas.minutes)
    assert list(deltas.hours) == sorted(deltas.hours)
    assert set(deltas.minutes.values()) == {Count(enriched=2, failed=-2)}
