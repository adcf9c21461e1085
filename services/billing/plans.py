"""Plans: what a company can subscribe to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from services.billing.prices import ZERO
from services.chassis.plans import OverQuota
from services.chassis.subjects import Lane


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan on offer; None stands for without limit."""

    name: str
    monthly_price: Decimal
    over_quota: OverQuota
    lane: Lane
    retention: timedelta
    scan_quota: int | None = None
    """Scans a month."""
    scanner_quota: int | None = None
    region_quota: int | None = None
    overage_price: Decimal = ZERO
    """The price of each started `overage_unit` beyond `scan_quota`; 0 unless `over_quota` is BILL."""
    overage_unit: int = 0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All plans by name. One that somebody has is never taken out; its terms hold from the next start on."""

    plans: Mapping[str, Plan]
    default: str
    """The plan of a company that never subscribed to any."""

    def cheapest_first(self) -> list[Plan]:
        """Answer the plans in the order in which they are shown."""
        return sorted(self.plans.values(), key=lambda plan: (plan.monthly_price, plan.name))

    def scan_quota(self, name: str) -> int | None:
        """Answer the quota of a plan; None if it has none, or is none."""
        plan = self.plans.get(name)
        return plan.scan_quota if plan else None
