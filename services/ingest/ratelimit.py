"""The service `ratelimit` as ingest asks it: the spends of several scanners and companies share a call.

What fails is asked for again under the same ids, so that both together spend once: a call that nobody answers, as it
is, normally by another replica; a single spend of it that cannot be decided at once, alone, and so at no cost to its
neighbours. So is each of a call that the replica does not know yet, or does not answer as such.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence

from scanmesh.ratelimit.v1 import ratelimit_pb2, ratelimit_pb2_grpc

from services.chassis import deadline, telemetry
from services.chassis.batcher import Batcher
from services.chassis.errors import DeadlineExceeded, MeshError, Unavailable
from services.ingest.breaker import Breaker

CALL_SECONDS = 0.25
"""The longest that a call takes (DESIGN section 7), both tries together."""
FIRST_TRY_SECONDS = 0.15
"""Thirty times what a spend takes, and enough for it to ask the ledger: a replica that has said nothing by then hangs,
and another one is asked."""
_MOST_TOGETHER = 128
"""Spends of one call: what the service takes."""
_REFUND_SECONDS = 2.0
_ALARM_SECONDS = 10.0

_log = logging.getLogger(__name__)
_lost_refunds = telemetry.meter(__name__).create_counter(
    "ingest.lost_refunds", description="scans not stored that the service could not be told of"
)


class RateLimit:
    """Asks the service, and stops asking for a while when it keeps failing."""

    def __init__(self, service: ratelimit_pb2_grpc.RateLimitServiceAsyncStub, breaker: Breaker) -> None:
        self._service = service
        self._breaker = breaker
        # Nobody waits for the calls of others: whoever is ready in the same turn of the event loop goes along.
        self._calls = Batcher(self._spend_many, max_weight=_MOST_TOGETHER, at_once=math.inf)
        self._next_alarm = 0.0

    async def spend(self, request: ratelimit_pb2.SpendRequest) -> ratelimit_pb2.SpendResponse | None:
        """Answer what the service says; None if it does not, or is not worth asking."""
        if not self._breaker.lets_ask():
            return None
        deadline.begin(CALL_SECONDS)  # of its own: it may be for several requests
        try:
            answer = await self._ask_twice(request)
        except (Unavailable, DeadlineExceeded) as error:
            self._breaker.failed()
            self._alarm(error)
            return None
        except MeshError as error:  # a fault of this spend: it must not open the limits of the others
            self._breaker.worked()
            self._alarm(error)
            return None
        self._breaker.worked()
        return answer

    async def refund(self, request: ratelimit_pb2.RefundRequest) -> None:
        """Give back; what cannot be given back is counted, and the ledger repairs it."""
        deadline.begin(_REFUND_SECONDS)  # of its own: the request that spent may be over
        try:
            await self._service.Refund(request)
        except MeshError as error:
            _lost_refunds.add(request.count)
            _log.info("a refund is lost", extra={"error": repr(error)})

    async def _ask_twice(self, request: ratelimit_pb2.SpendRequest) -> ratelimit_pb2.SpendResponse:
        outcome = await self._calls.do(request)
        return outcome.response if outcome.HasField("response") else await self._service.Spend(request)

    async def _spend_many(
        self, requests: Sequence[ratelimit_pb2.SpendRequest]
    ) -> Sequence[ratelimit_pb2.SpendOutcome]:
        many = ratelimit_pb2.SpendManyRequest(spends=requests)
        outcomes: Sequence[ratelimit_pb2.SpendOutcome] = ()
        try:
            outcomes = (await self._ask_many_twice(many)).outcomes
        except (Unavailable, DeadlineExceeded):
            raise
        except MeshError as error:  # not answered as a call: perhaps each alone
            _log.info("a call for several spends has failed", extra={"error": repr(error)})
        return outcomes if len(outcomes) == len(requests) else [ratelimit_pb2.SpendOutcome()] * len(requests)

    async def _ask_many_twice(self, many: ratelimit_pb2.SpendManyRequest) -> ratelimit_pb2.SpendManyResponse:
        try:
            return await self._service.SpendMany(many, timeout=FIRST_TRY_SECONDS)
        except (Unavailable, DeadlineExceeded):
            return await self._service.SpendMany(many, timeout=CALL_SECONDS - FIRST_TRY_SECONDS)

    def _alarm(self, error: MeshError) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_alarm:
            self._next_alarm = now + _ALARM_SECONDS
            _log.warning("limits are kept by this process alone", extra={"error": repr(error)})
