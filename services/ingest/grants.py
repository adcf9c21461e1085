"""What limits grant of a request, and how what they refuse is told.

The quota of the month outranks the limits of the minute: whoever has used it up need not come back before the quota
says so, however soon a bucket refills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.chassis.errors import Reason

QUOTA = "company.month"
_LONGEST_DELAY = timedelta(hours=1)
"""A subscription can begin again within the month: nobody is sent away for days."""


@dataclass(frozen=True, slots=True)
class Refusing:
    """A limit that refused some of a request's scans."""

    limit: str
    """Its name, such as `scanner.minute`."""
    retry_delay: timedelta
    """How long until it would grant what it refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the scans beyond those granted are to come again later."""

    reason: Reason
    """RATE_LIMITED or QUOTA_EXCEEDED."""
    limit: str
    retry_delay: timedelta


@dataclass(slots=True)
class Spend:
    """What the service was asked for at once, for some requests: of a spend it takes one refund."""

    spend_id: str
    unsettled: int
    """Requests of which it is not yet known what became."""
    lost: int = 0
    """Scans granted and known not to be stored."""

    def settle(self, lost: int) -> int:
        """Note what one request has lost; answer how many scans are to be given back now."""
        self.unsettled -= 1
        self.lost += lost
        return 0 if self.unsettled else self.lost


@dataclass(frozen=True, slots=True)
class Grant:
    """How many of a request's scans, the first ones, may be accepted."""

    spend: Spend | None
    """None: the service was not asked, or did not answer."""
    granted: int
    accept_time: datetime
    refusal: Refusal | None = None
    """Why not all of them; None if all are granted."""


def refusal(refusing: Sequence[Refusing]) -> Refusal | None:
    """Answer the one reason and delay that is true for all scans refused; None if no limit refused any."""
    if not refusing:
        return None
    quota = next((each for each in refusing if each.limit == QUOTA), None)
    if quota is not None:
        return Refusal(Reason.QUOTA_EXCEEDED, quota.limit, quota.retry_delay)
    slowest = max(refusing, key=lambda each: each.retry_delay)
    return Refusal(Reason.RATE_LIMITED, slowest.limit, slowest.retry_delay)


def ended(now: datetime) -> Refusal:
    """Answer why nothing of a company is accepted whose subscription has ended: it has no quota any more."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    next_month = (month + timedelta(days=31)).replace(day=1)
    return Refusal(Reason.QUOTA_EXCEEDED, QUOTA, min(next_month - now, _LONGEST_DELAY))
