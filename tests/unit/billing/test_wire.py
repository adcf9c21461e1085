from __future__ import annotations

from decimal import Decimal

import pytest

from services.billing import plan_file, wire


@pytest.mark.parametrize(
    ("amount", "units", "nanos"),
    [
        ("0", 0, 0),
        ("99", 99, 0),
        ("0.50", 0, 500_000_000),
        ("1073741823.50", 1_073_741_823, 500_000_000),
        ("0.000000001", 0, 1),
        ("-1.25", -1, -250_000_000),
        ("1E+3", 1_000, 0),
    ],
)
def test_money_is_exact(amount, units, nanos):
    money = wire.money(Decimal(amount))
    assert (money.currency_code, money.units, money.nanos) == ("USD", units, nanos)


def test_what_money_cannot_say_is_never_rounded_silently():
    with pytest.raises(ValueError, match="cannot be written"):
        wire.money(Decimal("0.0000000001"))


def test_a_plan_without_limits_has_no_quotas():
    enterprise = wire.plan(plan_file.load().plans["enterprise"])
    assert not any(enterprise.HasField(f"{name}_quota") for name in ("scan", "scanner", "region"))
