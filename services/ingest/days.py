"""Which days of scan events there must be, and which may go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from services.chassis.plans import LONGEST_RETENTION

_AHEAD = 7
"""Days that are there before their first scan, should the recorder for once not be allowed to make one."""
_DAY = timedelta(days=1)


def needed(now: datetime) -> list[date]:
    """Answer the days that should be there: what is accepted now may be of the day before."""
    return [now.date() + index * _DAY for index in range(-1, _AHEAD + 1)]


def outlived(days: Iterable[date], now: datetime, retention: timedelta = LONGEST_RETENTION) -> list[date]:
    """Answer the days of which every scan is older than `retention`, oldest first."""
    return sorted(day for day in days if day < oldest_kept(now, retention))


def oldest_kept(now: datetime, retention: timedelta = LONGEST_RETENTION) -> date:
    """Answer the day that `retention` ends in: what is of earlier ones may go."""
    return (now - retention).date()
