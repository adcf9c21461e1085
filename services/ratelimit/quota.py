"""The month's quota: periods, what the ledger says of one, and when it is worth asking again.

used = the ledger's total of all that was accepted before its watermark + what was granted after it. Total and watermark
travel as one, and only forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

PENDING_DELAY = timedelta(seconds=30)
"""A watermark passes within seconds; what a duplicate took is back by then."""
_LONGEST_DELAY = timedelta(hours=1)
"""A quota can be raised within the month: nobody is sent away for days."""


@dataclass(frozen=True, slots=True)
class Base:
    """What the ledger is known to hold of a company's month."""

    company_id: int
    period: str
    """The month in UTC, such as `2026-11`."""
    total: int
    """The scans accepted before `watermark`."""
    watermark: datetime
    """Everything accepted before it is in the ledger."""
    as_of: datetime
    """When the ledger said so."""

    def for_period(self, period: str) -> Base | None:
        """Answer what this says of another month; None if it says nothing of it.

        Of a month that begins at or after the watermark, nothing was accepted before the watermark.
        """
        if period == self.period:
            return self
        return replace(self, period=period, total=0) if start_of(period) >= self.watermark else None


def period_of(accepted: datetime) -> str:
    """Answer the month in which a scan accepted at a time counts."""
    return f"{accepted.astimezone(UTC):%Y-%m}"


def start_of(period: str) -> datetime:
    """Answer the first moment of a month.

    Raises:
        ValueError: it is not a month as `period_of` writes it.
    """
    return datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)


def end_of(period: str) -> datetime:
    """Answer the first moment after a month."""
    return (start_of(period) + timedelta(days=31)).replace(day=1)


def retry_delay(limit: int, ledger_total: int, now: datetime) -> timedelta:
    """Answer after which time a scan that the quota refused is worth sending again.

    Args:
        limit: the quota, in scans.
        ledger_total: the part of what is used that is in the ledger; the rest is pending and may come back.
        now: the time of the refusal.
    """
    if ledger_total < limit:
        return PENDING_DELAY
    return min(end_of(period_of(now)) - now, _LONGEST_DELAY)
