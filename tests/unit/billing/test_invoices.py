from __future__ import annotations

from decimal import Decimal

import pytest

from services.billing import invoices, plan_file

PLANS = plan_file.load().plans


def lines(plan, quantity):
    invoice = invoices.rate(PLANS[plan], {"scans": quantity} if quantity else {})
    return [
        (line.meter, line.quantity, str(line.unit_price), str(line.amount)) for line in invoice.lines
    ], invoice.total


def test_an_unused_month_costs_the_plan_and_shows_its_meters():
    assert lines("starter", 0) == (
        [("plan", 1, "99", "99.00"), ("scans", 0, "0", "0.00")],
        Decimal("99.00"),
    )


def test_the_whole_quota_is_included():
    assert lines("professional", 1_000_000) == (
        [("plan", 1, "499", "499.00"), ("scans", 1_000_000, "0", "0.00")],
        Decimal("499.00"),
    )


@pytest.mark.parametrize(
    ("quantity", "units", "amount"),
    [
        (1_000_001, 1, "0.50"),
        (1_001_000, 1, "0.50"),
        (1_001_001, 2, "1.00"),
        (2_000_000, 1_000, "500.00"),
    ],
)
def test_overage_is_a_line_of_its_own_in_started_units(quantity, units, amount):
    listed, total = lines("professional", quantity)
    assert listed[1:] == [
        ("scans", quantity, "0", "0.00"),
        ("scans_overage", units, "0.50", amount),
    ]
    assert total == Decimal("499.00") + Decimal(amount)


def test_what_a_refusing_plan_let_through_is_listed_and_not_charged():
    listed, total = lines("starter", 100_003)
    assert listed[1:] == [("scans", 100_003, "0", "0.00"), ("scans_overage", 3, "0", "0.00")]
    assert total == Decimal("99.00")
    assert "not charged" in invoices.rate(PLANS["starter"], {"scans": 100_003}).lines[-1].description


def test_a_plan_without_a_quota_has_no_overage():
    listed, total = lines("enterprise", 10**12)
    assert listed == [("plan", 1, "0", "0.00"), ("scans", 10**12, "0", "0.00")]
    assert total == 0


def test_usage_shows_the_plans_meters_and_whatever_else_was_used_by_name():
    used = invoices.usage(PLANS["starter"], {"scans": 100_001, "api_calls": 5})
    assert [(each.meter, each.quantity, each.included, each.overage) for each in used] == [
        ("api_calls", 5, None, 0),
        ("scans", 100_001, 100_000, 1),
    ]
