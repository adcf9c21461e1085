from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.billing import periods


def test_a_month_begins_and_ends_by_utc():
    end = datetime(2026, 12, 1, tzinfo=UTC)
    assert periods.period_of(end - timedelta(microseconds=1)) == "2026-11"
    assert periods.period_of(end) == "2026-12"
    assert periods.period_of(datetime(2026, 12, 1, tzinfo=timezone(timedelta(hours=1)))) == "2026-11"


@pytest.mark.parametrize("text", ["2026-01", "2026-12", "0001-01"])
def test_a_month_is_a_period(text):
    assert periods.is_period(text)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-0", "2026-00", "2026-13", "2026-1", "0000-01", "2026-11\n", "\uff12026-11"]
)
def test_anything_else_is_none(text):
    assert not periods.is_period(text)


def test_a_cell_has_ten_seconds():
    start = datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC)
    assert periods.cell_of(start) == start
    assert periods.cell_of(start + timedelta(seconds=9, microseconds=999_999)) == start
    assert periods.cell_of(start + timedelta(seconds=10)) == datetime(2026, 12, 1, tzinfo=UTC)
