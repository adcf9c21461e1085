from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.billing.thresholds import reached

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("quantity", "percents"),
    [(79_999, []), (80_000, [80]), (99_999, [80]), (100_000, [80, 100]), (10**9, [80, 100])],
)
def test_shares_of_the_quota_are_reached_exactly(quantity, percents):
    assert [each.percent for each in reached(7, "2026-11", quantity, 100_000, NOW)] == percents


def test_a_share_that_is_no_whole_number_is_rounded_up():
    assert [each.percent for each in reached(7, "2026-11", 2, 3, NOW)] == []
    assert [each.percent for each in reached(7, "2026-11", 3, 3, NOW)] == [80, 100]


def test_without_a_quota_nothing_is_reached():
    assert list(reached(7, "2026-11", 10**12, None, NOW)) == []


def test_the_id_of_a_threshold_is_its_companys_months_and_shares():
    ids = {
        each.event_id
        for company_id in (7, 8)
        for period in ("2026-11", "2026-12")
        for quota in (1, 2)
        for each in reached(company_id, period, 10, quota, NOW)
    }
    assert len(ids) == 8
