"""Prices: decimal money, rounded half-even to cents, once for each line of an invoice."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

CURRENCY = "USD"
MAX_DECIMALS = 9
"""What `google.type.Money` can say: its unit is the nano."""
_CENT = Decimal("0.01")
ZERO = Decimal(0)


def amount(quantity: int, unit_price: Decimal) -> Decimal:
    """Answer what a quantity costs, in cents."""
    return (quantity * unit_price).quantize(_CENT, ROUND_HALF_EVEN)


def started_units(quantity: int, unit: int) -> int:
    """Answer how many units a quantity has begun: the first of a unit counts as all of it."""
    return -(-quantity // unit)
