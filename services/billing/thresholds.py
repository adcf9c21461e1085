"""Thresholds: the shares of a month's quota whose reaching is told, once for each company and month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.derived import derived_id

PERCENTS = (80, 100)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A share of its quota that a company has reached."""

    company_id: int
    period: str
    percent: int
    scan_quota: int
    """The plan's quota at that time, in scans."""
    reach_time: datetime

    @property
    def event_id(self) -> UUID:
        """The id of the event that tells it: told again, it is the same event."""
        return derived_id("QUOTA", self.company_id, self.period, self.percent)


def reached(
    company_id: int, period: str, quantity: int, scan_quota: int | None, now: datetime
) -> Iterator[Threshold]:
    """Answer the thresholds at or below a quantity; none without a quota."""
    if scan_quota is None:
        return
    for percent in PERCENTS:
        if quantity * 100 >= scan_quota * percent:
            yield Threshold(company_id, period, percent, scan_quota, now)
