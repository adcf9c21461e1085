"""What the ledger says of each company's month: heard from the bucket `totals`, or asked of billing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scanmesh.billing.v1 import usage_pb2, usage_pb2_grpc

from services.chassis import deadline, telemetry
from services.chassis.clock import Clock
from services.chassis.errors import DeadlineExceeded, MeshError, Unavailable
from services.ratelimit.buckets import Buckets
from services.ratelimit.flights import Flights
from services.ratelimit.quota import Base, period_of

ASK_SECONDS = 0.15
"""The longest that billing is waited for, by however many; it answers within 5 ms."""
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
    """Brings the ledger's totals to the buckets, as far as this process has heard or can ask."""

    def __init__(
        self,
        billing: usage_pb2_grpc.UsageServiceAsyncStub,
        buckets: Buckets,
        heard: Callable[[Base], None],
        *,
        clock: Clock,
    ) -> None:
        """Describe the way.

        Args:
            billing: answers what nobody has heard yet.
            buckets: what is asked for is brought there.
            heard: told each total that is heard and news.
            clock: tells when one is brought.
        """
        self._billing = billing
        self._buckets = buckets
        self._heard = heard
        self._clock = clock
        self._known: dict[int, Base] = {}
        self._asking: Flights[bool] = Flights()
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

    async def bring(self, company_id: int, now: datetime) -> bool:
        """Bring what is known of a company's current month, and tell whether anything is.

        Raises:
            Unavailable: Valkey is away.
        """
        period = period_of(now)
        known = self._known.get(company_id)
        heard = known.for_period(period) if known is not None else None
        recent = heard is not None and now - heard.watermark <= _RECENT
        # An idle company's total is told no more. It is as true as ever, yet much may have been granted after it.
        if not recent and await self.bring_latest(company_id, period):
            return True
        if heard is not None:
            await self._buckets.rebase(heard, self._clock())
        return heard is not None

    async def bring_latest(self, company_id: int, period: str) -> bool:
        """Bring a total as of now, and tell whether billing has said one while the caller can wait.

        One that comes later is brought all the same: the company's next scans are decided by it.

        Raises:
            Unavailable: Valkey is away.
        """
        if asyncio.get_running_loop().time() < self._paused_until:
            return False
        try:
            async with asyncio.timeout(_patience()):
                return await self._asking.join((company_id, period), lambda: self._fetch(company_id, period))
        except TimeoutError:
            return False

    async def _fetch(self, company_id: int, period: str) -> bool:
        deadline.begin(ASK_SECONDS)  # of its own: many wait for it, some with more time than the first
        request = usage_pb2.GetLedgerTotalRequest(company_id=company_id, period=period)
        try:
            answer = await self._billing.GetLedgerTotal(request, timeout=ASK_SECONDS)
        except MeshError as error:
            self._failed(error)
            return False
        await self._buckets.rebase(_base(answer.total), self._clock())
        return True

    def _failed(self, error: MeshError) -> None:
        _failures.add(1)
        _log.warning("the ledger does not say what is used", extra={"error": repr(error)})
        if isinstance(error, Unavailable | DeadlineExceeded):  # else it is the fault of one question
            self._paused_until = asyncio.get_running_loop().time() + _PAUSE_SECONDS


def _patience() -> float | None:
    """Answer the seconds that the caller can wait; None: for as long as it takes."""
    left = deadline.remaining()
    return None if left is None else max(0.0, left - _KEPT_SECONDS)


def _base(total: usage_pb2.LedgerTotal) -> Base:
    return Base(
        company_id=total.company_id,
        period=total.period,
        total=total.quantity,
        watermark=total.watermark_time.ToDatetime(UTC),
        as_of=total.as_of_time.ToDatetime(UTC),
    )
