from __future__ import annotations

from decimal import Decimal

import pytest

from services.billing import prices


@pytest.mark.parametrize(
    ("quantity", "unit_price", "amount"),
    [
        (1, "99", "99.00"),
        (1, "0.005", "0.00"),  # half to the even cent, down
        (3, "0.005", "0.02"),  # 0.015: half to the even cent, up
        (5, "0.005", "0.02"),  # 0.025: half to the even cent, down
        (1, "0.0050000001", "0.01"),
        (2_000_000, "0.000000001", "0.00"),
        (2_147_483_647, "0.50", "1073741823.50"),
        (0, "0.50", "0.00"),
    ],
)
def test_an_amount_is_rounded_half_even_to_cents(quantity, unit_price, amount):
    assert str(prices.amount(quantity, Decimal(unit_price))) == amount


@pytest.mark.parametrize(
    ("quantity", "units"), [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (1_000_000, 1_000)]
)
def test_a_unit_that_has_begun_counts_whole(quantity, units):
    assert prices.started_units(quantity, 1_000) == units
