"""Asks `ratelimit`, once per request, how many of its scans may be accepted; decides alone when there is no answer.

A limiter that is away must not stop scans: within a quarter of a second this process' own buckets take its place,
and after a few failures they are asked first for a while. They know no quota but that of a subscription that has
ended, which is none; what they let through is in the ledger, and the quota finds it there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, timedelta

from scanmesh.ratelimit.v1 import ratelimit_pb2, ratelimit_pb2_grpc

from services.chassis import deadline, ids, telemetry
from services.chassis.clock import Clock
from services.chassis.errors import DeadlineExceeded, MeshError, Reason, Unavailable
from services.chassis.identity import Identity
from services.chassis.plans import Plan
from services.ingest import grants
from services.ingest.breaker import Breaker
from services.ingest.errands import Errands
from services.ingest.grants import Grant, Refusal, Refusing
from services.ingest.local_buckets import LocalBuckets

CALL_SECONDS = 0.25
"""The longest that a request waits for the service (DESIGN section 7), both tries together."""
FIRST_TRY_SECONDS = 0.15
"""Thirty times what a spend takes, and enough for it to ask the ledger: a replica that has said nothing by then hangs,
and another one is asked."""
_SECOND_TRY_SECONDS = CALL_SECONDS - FIRST_TRY_SECONDS
_REFUND_SECONDS = 2.0
_ALARM_SECONDS = 10.0
_UNEXPLAINED = Refusal(Reason.RATE_LIMITED, "unknown", timedelta(seconds=1))
"""For a service that grants less and names no limit: the scans must come again all the same."""

_log = logging.getLogger(__name__)
_fallbacks = telemetry.meter(__name__).create_counter(
    "ingest.limiter_fallbacks", description="requests that this process' own buckets decided"
)
_lost_refunds = telemetry.meter(__name__).create_counter(
    "ingest.lost_refunds", description="scans not stored that the service could not be told of"
)


class Limiter:
    """Spends what limits and quotas have left."""

    def __init__(
        self,
        service: ratelimit_pb2_grpc.RateLimitServiceAsyncStub,
        errands: Errands,
        clock: Clock,
        breaker: Breaker,
        plan_of: Callable[[int], Plan],
    ) -> None:
        self._service = service
        self._errands = errands
        self._clock = clock
        self._breaker = breaker
        self._plan_of = plan_of
        self._local = LocalBuckets()
        self._next_alarm = 0.0

    async def spend(self, identity: Identity, cost: int) -> Grant:
        """Spend for `cost` scans of one caller, at least one, or for as many as the limits have left.

        Raises:
            DeadlineExceeded: the caller has left too little time to accept anything; nothing was spent.
        """
        left = deadline.remaining()
        if left is not None and left < CALL_SECONDS:
            # Else a caller in a hurry would look like a service that is away, and open the limits for everybody.
            raise DeadlineExceeded("too little time is left to accept a scan")
        spend_id = ids.message_id()
        answer = await self._ask(_request(spend_id, identity, cost)) if self._breaker.lets_ask() else None
        if answer is None:
            return self._alone(spend_id, identity, cost)
        self._local.learn(identity, {limit.name: limit.limit for limit in answer.limits})
        return _grant(spend_id, cost, answer)

    def refund(self, identity: Identity, grant: Grant, count: int) -> None:
        """Give back what is known not to be stored, in the background; a refund that fails, the ledger repairs."""
        if count and grant.from_service:
            request = ratelimit_pb2.RefundRequest(
                spend_id=grant.spend_id, company_id=identity.company_id, count=count
            )
            self._errands.begin(self._refund(request))

    async def _ask(self, request: ratelimit_pb2.SpendRequest) -> ratelimit_pb2.SpendResponse | None:
        """Answer what the service says; None if it does not."""
        try:
            answer = await self._ask_twice(request)
        except (Unavailable, DeadlineExceeded) as error:
            self._breaker.failed()
            self._alarm(error)
            return None
        except MeshError as error:  # a fault of this request: it must not open the limits of the others
            self._breaker.worked()
            self._alarm(error)
            return None
        self._breaker.worked()
        return answer

    async def _ask_twice(self, request: ratelimit_pb2.SpendRequest) -> ratelimit_pb2.SpendResponse:
        """Ask one replica and, if it fails, the next one: under one id, both together spend once."""
        try:
            return await self._service.Spend(request, timeout=FIRST_TRY_SECONDS)
        except (Unavailable, DeadlineExceeded):
            return await self._service.Spend(request, timeout=_SECOND_TRY_SECONDS)

    def _alone(self, spend_id: str, identity: Identity, cost: int) -> Grant:
        _fallbacks.add(1)
        now = self._clock()
        if self._plan_of(identity.company_id).ended:
            return Grant(spend_id, 0, now, grants.ended(now), from_service=False)
        granted, refusing = self._local.spend(identity, cost, now)
        return Grant(spend_id, granted, now, grants.refusal(refusing), from_service=False)

    def _alarm(self, error: MeshError) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_alarm:
            self._next_alarm = now + _ALARM_SECONDS
            _log.warning("limits are kept by this process alone", extra={"error": repr(error)})

    async def _refund(self, request: ratelimit_pb2.RefundRequest) -> None:
        deadline.begin(_REFUND_SECONDS)  # of its own: the request that spent may be over
        try:
            await self._service.Refund(request)
        except MeshError as error:
            _lost_refunds.add(request.count)
            _log.info("a refund is lost", extra={"error": repr(error)})


def _request(spend_id: str, identity: Identity, cost: int) -> ratelimit_pb2.SpendRequest:
    return ratelimit_pb2.SpendRequest(
        spend_id=spend_id,
        company_id=identity.company_id,
        scanner_id=identity.subject,
        region=identity.region,
        cost=cost,
        partial=True,
        scanner_type=identity.scanner_type,
    )


def _grant(spend_id: str, cost: int, answer: ratelimit_pb2.SpendResponse) -> Grant:
    granted = max(0, min(answer.granted, cost))
    refusing = [
        Refusing(limit.name, limit.retry_delay.ToTimedelta())
        for limit in answer.limits
        if limit.HasField("retry_delay")
    ]
    refusal = (grants.refusal(refusing) or _UNEXPLAINED) if granted < cost else None
    return Grant(spend_id, granted, answer.accept_time.ToDatetime(UTC), refusal)
