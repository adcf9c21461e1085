from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.ratelimit.quota import Base, end_of, period_of, retry_delay, start_of

NOVEMBER = datetime(2026, 11, 30, 23, 59, 40, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_period_is_a_month_in_utc():
    east = timezone(timedelta(hours=2))
    assert period_of(datetime(2026, 12, 1, 1, tzinfo=east)) == "2026-11"
    assert (start_of("2026-12"), end_of("2026-12")) == (DECEMBER, datetime(2027, 1, 1, tzinfo=UTC))


def test_a_total_says_of_the_month_after_its_watermark_that_nothing_was_accepted_before():
    base = Base(7, "2026-11", 500, NOVEMBER, NOVEMBER + 20 * SECOND)
    assert base.for_period("2026-11") is base
    assert base.for_period("2026-12") == Base(7, "2026-12", 0, base.watermark, base.as_of)


def test_a_total_says_nothing_of_a_month_it_has_passed():
    base = Base(7, "2026-12", 500, DECEMBER + 10 * SECOND, DECEMBER + 30 * SECOND)
    assert base.for_period("2026-11") is None


@pytest.mark.parametrize(
    ("in_ledger", "now", "expected"),
    [
        (9, NOVEMBER, timedelta(seconds=30)),
        (10, NOVEMBER, 20 * SECOND),
        (11, NOVEMBER - timedelta(days=3), timedelta(hours=1)),
    ],
)
def test_a_refusal_lasts_while_what_is_pending_may_come_back_or_until_the_month_ends(
    in_ledger, now, expected
):
    assert retry_delay(10, in_ledger, now) == expected
