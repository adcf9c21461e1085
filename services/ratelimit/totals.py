"""What the ledger says of each company's month: heard from the bucket `totals`, or asked of billing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scanmesh.billing.v1 import usage_pb2, usage_pb2_grpc

from services.chassis import deadline, telemetry
from services.chassis.errors import MeshError
from services.ratelimit.flights import Flights
from services.ratelimit.quota import Base, period_of

ASK_SECONDS = 0.15
"""The longest that a decision waits for billing; it answers within 5 ms."""
_KEPT_SECONDS = 0.02
"""Of the caller's deadline, for deciding by whatever billing has said."""
_PAUSE_SECONDS = 1.0
"""How long nobody asks a billing that has just failed: each of those calls would hold up somebody's scans."""
_RECENT = timedelta(seconds=60)
"""A watermark moves on every 10 s; of an active company, one is heard as often."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)
_failures = telemetry.meter(__name__).create_counter(
    "ratelimit.ledger_failures", description="questions to billing that were not answered in time"
)


class Totals:
    """The ledger's totals, as far as this process has heard or can ask."""

    def __init__(self, billing: usage_pb2_grpc.UsageServiceAsyncStub, heard: Callable[[Base], None]) -> None:
        """Describe the source.

        Args:
            billing: answers what nobody has heard yet.
            heard: told each total that is heard and news.
        """
        self._billing = billing
        self._heard = heard
        self._known: dict[int, Base] = {}
        self._asking: Flights[Base | None] = Flights()
        self._paused_until = 0.0
        self.watermark = _BEGINNING
        """The latest that was heard for any company; it is one for all of them."""

    def learn(self, key: str, value: bytes) -> None:
        """Take in an entry of the bucket `totals`.

        Raises:
            google.protobuf.message.DecodeError: the bytes are no total.
        """
        base = _base(usage_pb2.LedgerTotal.FromString(value))
        known = self._known.get(base.company_id)
        if known is not None and (base.watermark, base.as_of) <= (known.watermark, known.as_of):
            return
        self._known[base.company_id] = base
        self.watermark = max(self.watermark, base.watermark)
        self._heard(base)

    async def base(self, company_id: int, now: datetime) -> Base | None:
        """Answer what is known of a company's current month; None if nothing is."""
        period = period_of(now)
        known = self._known.get(company_id)
        heard = known.for_period(period) if known is not None else None
        if heard is not None and now - heard.watermark <= _RECENT:
            return heard
        # An idle company's total is told no more. It is as true as ever, yet much may have been granted after it.
        return await self.latest(company_id, period) or heard

    async def latest(self, company_id: int, period: str) -> Base | None:
        """Ask billing for a total as of now; None if it does not answer soon."""
        if asyncio.get_running_loop().time() < self._paused_until:
            return None
        return await self._asking.join((company_id, period), lambda: self._ask(company_id, period))

    async def _ask(self, company_id: int, period: str) -> Base | None:
        request = usage_pb2.GetLedgerTotalRequest(company_id=company_id, period=period)
        try:
            answer = await self._billing.GetLedgerTotal(request, timeout=_seconds())
        except MeshError as error:
            self._paused_until = asyncio.get_running_loop().time() + _PAUSE_SECONDS
            _failures.add(1)
            _log.warning("the ledger does not say what is used", extra={"error": repr(error)})
            return None
        return _base(answer.total)


def _seconds() -> float:
    left = deadline.remaining()
    return ASK_SECONDS if left is None else max(0.0, min(ASK_SECONDS, left - _KEPT_SECONDS))


def _base(total: usage_pb2.LedgerTotal) -> Base:
    return Base(
        company_id=total.company_id,
        period=total.period,
        total=total.quantity,
        watermark=total.watermark_time.ToDatetime(UTC),
        as_of=total.as_of_time.ToDatetime(UTC),
    )
