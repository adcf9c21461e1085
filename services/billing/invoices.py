"""Invoices: what a month's usage costs on a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.billing import prices
from services.billing.plans import Plan
from services.chassis.plans import OverQuota
from services.chassis.subjects import Meter

PLAN = "plan"
OVERAGE = "scans_overage"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice."""

    description: str
    meter: str
    quantity: int
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """What it costs: the only place where money is rounded."""
        return prices.amount(self.quantity, self.unit_price)


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a company owes for a month."""

    lines: tuple[Line, ...]
    tax: Decimal = prices.ZERO

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), prices.ZERO)

    @property
    def total(self) -> Decimal:
        """What is owed."""
        return self.subtotal + self.tax


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of one meter in a month."""

    meter: str
    quantity: int
    included: int | None
    """None: without limit."""

    @property
    def overage(self) -> int:
        """The quantity beyond what is included."""
        return 0 if self.included is None else max(0, self.quantity - self.included)


def usage(plan: Plan, quantities: Mapping[str, int]) -> list[Usage]:
    """Answer the usage of the plan's meters, unused ones too, and of others that were used; ordered by name."""
    metered = {Meter.SCANS.value: 0, **quantities}
    included = {Meter.SCANS.value: plan.scan_quota}
    return [Usage(meter, metered[meter], included.get(meter)) for meter in sorted(metered)]


def rate(plan: Plan, quantities: Mapping[str, int]) -> Invoice:
    """Answer the invoice of a whole month on a plan."""
    return Invoice(tuple(_lines(plan, usage(plan, quantities))))


def _lines(plan: Plan, used: list[Usage]) -> Iterator[Line]:
    yield Line(f"Plan {plan.name}", PLAN, 1, plan.monthly_price)
    for each in used:
        yield Line(each.meter.capitalize(), each.meter, each.quantity, prices.ZERO)
        if each.overage:
            yield _overage(plan, each)


def _overage(plan: Plan, used: Usage) -> Line:
    if (
        plan.over_quota is not OverQuota.BILL
    ):  # let through while the limiter was away: not the company's fault
        return Line("Scans over quota, not charged", OVERAGE, used.overage, prices.ZERO)
    units = prices.started_units(used.overage, plan.overage_unit)
    return Line(f"Scans over quota, each started {plan.overage_unit}", OVERAGE, units, plan.overage_price)
