"""Asks `ratelimit` how many scans may be accepted, or decides alone when there is no answer.

Requests wait a few milliseconds for each other. Those of one scanner make one spend: what is granted goes to them in
the order they came; while its answers are on their way, its next ones wait, and nobody else's. The spends of all
scanners that are ready then go in one call (`ratelimit`).

A limiter that is away must not stop scans: within 0.3 seconds this process' own buckets take its place,
and after a few failures they are asked first for a while. They know no quota but that of a subscription that has
ended, which is none; what they let through is in the ledger, and the quota finds it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial

from scanmesh.ratelimit.v1 import ratelimit_pb2

from services.chassis import deadline, ids, telemetry
from services.chassis.batcher import Batcher, Gathering
from services.chassis.clock import Clock
from services.chassis.errors import DeadlineExceeded, Reason
from services.chassis.identity import Identity
from services.chassis.plans import Plan
from services.ingest import grants
from services.ingest.batch import MAX_SCANS
from services.ingest.errands import Errands
from services.ingest.grants import Grant, Refusal, Refusing, Spend
from services.ingest.local_buckets import LocalBuckets
from services.ingest.ratelimit import CALL_SECONDS, RateLimit
from services.ingest.shedding import Overloaded

_WAIT_SECONDS = CALL_SECONDS + 0.05
"""The longest that a request waits, for the calls before its own as well."""
_SPENDS_AT_ONCE = 2
"""Of one scanner."""
_GATHER_SECONDS = 0.010
"""How long the first of some requests, of whatever scanners, waits for others."""
_UNEXPLAINED = Refusal(Reason.RATE_LIMITED, "unknown", timedelta(seconds=1))
"""For a service that grants less and names no limit: the scans must come again all the same."""

_fallbacks = telemetry.meter(__name__).create_counter(
    "ingest.limiter_fallbacks", description="requests that this process' own buckets decided"
)


@dataclass(slots=True)
class _Ask:
    """What one request asks for."""

    cost: int
    sent: bool = False
    """Whether the service may have been asked."""
    grant: Grant | None = None
    """What the service has granted."""
    gone: bool = False
    """Whether it has been decided without the answer."""


class Limiter:
    """Spends what limits and quotas have left."""

    def __init__(
        self,
        service: RateLimit,
        errands: Errands,
        clock: Clock,
        plan_of: Callable[[int], Plan],
    ) -> None:
        self._service = service
        self._errands = errands
        self._clock = clock
        self._plan_of = plan_of
        self._local = LocalBuckets()
        self._gathering = Gathering(_GATHER_SECONDS)
        self._callers: dict[Identity, Batcher[_Ask, Grant | None]] = {}

    async def spend(self, identity: Identity, cost: int) -> Grant:
        """Spend for `cost` scans of one caller, at least one, or for as many as the limits have left.

        Raises:
            DeadlineExceeded: the caller has left too little time to accept anything; nothing was spent.
            Overloaded: the scanner sends more than it can be asked for; nothing was spent.
        """
        left = deadline.remaining()
        if left is not None and left < _WAIT_SECONDS:
            # Else a caller in a hurry would look like a service that is away, and open the limits for everybody.
            raise DeadlineExceeded("too little time is left to accept a scan")
        grant = await self._together(identity, cost)
        return self._alone(identity, cost) if grant is None else grant

    def settle(self, identity: Identity, grant: Grant, lost: int) -> None:
        """Note how many of the scans granted are known not to be stored, once for every grant.

        They are given back in the background, when that is known of all who shared the spend; a refund that fails, the
        ledger repairs.
        """
        if grant.spend is not None and (count := grant.spend.settle(lost)):
            request = ratelimit_pb2.RefundRequest(
                spend_id=grant.spend.spend_id, company_id=identity.company_id, count=count
            )
            self._errands.begin(self._service.refund(request))

    async def _together(self, identity: Identity, cost: int) -> Grant | None:
        """Ask with whoever else asks for the same scanner; None without an answer, in time for this caller."""
        caller = self._callers.get(identity)
        if caller is None:
            caller = self._callers[identity] = Batcher(
                partial(self._spend, identity),
                max_weight=MAX_SCANS,
                at_once=_SPENDS_AT_ONCE,
                gathering=self._gathering,
                when_idle=partial(self._callers.pop, identity, None),
            )
        ask = _Ask(cost)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return await caller.do(ask, cost)
        except TimeoutError:
            if not ask.sent:
                # The service is there, and busy with this scanner's own: its limits hold all the same.
                raise Overloaded from None
            ask.gone = True
            self._leave_charged(identity, ask)
            return None

    def _leave_charged(self, identity: Identity, ask: _Ask) -> None:
        """Give nothing back of a grant that came too late: scans decided without it are stored, or may be."""
        if ask.gone and ask.grant is not None:
            self.settle(identity, ask.grant, 0)

    async def _spend(self, identity: Identity, asks: Sequence[_Ask]) -> Sequence[Grant | None]:
        for ask in asks:
            ask.sent = True
        spend = Spend(ids.message_id(), len(asks))
        costs = [ask.cost for ask in asks]
        answer = await self._service.spend(_request(spend.spend_id, identity, sum(costs)))
        if answer is None:
            return [None] * len(asks)
        self._local.learn(identity, {limit.name: limit.limit for limit in answer.limits})
        given = _grants(spend, costs, answer)
        for ask, grant in zip(asks, given, strict=True):
            ask.grant = grant
            self._leave_charged(identity, ask)
        return given

    def _alone(self, identity: Identity, cost: int) -> Grant:
        _fallbacks.add(1)
        now = self._clock()
        if self._plan_of(identity.company_id).ended:
            return Grant(None, 0, now, grants.ended(now))
        granted, refusing = self._local.spend(identity, cost, now)
        return Grant(None, granted, now, grants.refusal(refusing))


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


def _grants(spend: Spend, costs: Sequence[int], answer: ratelimit_pb2.SpendResponse) -> list[Grant]:
    """Give out what was granted, in the order of the requests; each is told of the limits that refuse it, and no other."""
    accept_time, total = answer.accept_time.ToDatetime(UTC), sum(costs)
    given: list[Grant] = []
    asked, left = 0, max(0, answer.granted)
    for cost in costs:
        asked += cost
        granted = min(left, cost)
        left -= granted
        refusal = _refusal(answer, asked, total) if granted < cost else None
        given.append(Grant(spend, granted, accept_time, refusal))
    return given


def _refusal(answer: ratelimit_pb2.SpendResponse, asked: int, total: int) -> Refusal:
    """Answer why not all of the first `asked` scans were granted, of the `total` of a spend."""
    refused, in_all = asked - answer.granted, total - answer.granted
    refusing = [
        Refusing(limit.name, _share(limit, refused, in_all))
        for limit in answer.limits
        if limit.HasField("retry_delay") and refused > limit.remaining
    ]
    return grants.refusal(refusing) or _UNEXPLAINED


def _share(limit: ratelimit_pb2.SpendLimit, refused: int, in_all: int) -> timedelta:
    """Answer when a limit has room for the first of the scans refused: a bucket refills steadily, a quota does not."""
    delay = limit.retry_delay.ToTimedelta()
    if limit.name == grants.QUOTA:
        return delay
    return delay * min(1.0, refused / max(1, min(in_all, limit.limit)))
