"""RateLimitService: the RPCs by which ingest spends and gives back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from scanmesh.ratelimit.v1 import ratelimit_pb2, ratelimit_pb2_grpc

from services.chassis import interceptors, wire
from services.chassis.errors import to_status
from services.chassis.fields import Problems, check_text, resource_id
from services.ratelimit import quota
from services.ratelimit.buckets import Buckets
from services.ratelimit.decision import Decision, Holder, Spend, Standing
from services.ratelimit.limits import BY_SCANNER_TYPE, Name
from services.ratelimit.spending import Spending

_MAX_SPEND_ID = 64
_MAX_COST = 1_000
"""The most scans of one request (CONTRACT section 1), and of several together."""
_MAX_SPENDS = 128
"""In one call: as many as go to Valkey together (`valkey.Line`)."""


class RateLimitServicer(ratelimit_pb2_grpc.RateLimitServiceServicer):
    """Spends in one atomic step, once for each `spend_id`."""

    def __init__(self, spending: Spending, buckets: Buckets) -> None:
        self._spending = spending
        self._buckets = buckets

    async def Spend(self, request: ratelimit_pb2.SpendRequest, context: Any) -> ratelimit_pb2.SpendResponse:
        return await self._spend(request, waits=True)

    async def SpendMany(
        self, request: ratelimit_pb2.SpendManyRequest, context: Any
    ) -> ratelimit_pb2.SpendManyResponse:
        _check_many(request)
        waits = len(request.spends) == 1  # nobody is there who would be held up
        spending = [self._spend(spend, waits=waits) for spend in request.spends]
        outcomes = await asyncio.gather(*spending, return_exceptions=True)
        return ratelimit_pb2.SpendManyResponse(outcomes=map(_outcome, outcomes))

    async def Refund(
        self, request: ratelimit_pb2.RefundRequest, context: Any
    ) -> ratelimit_pb2.RefundResponse:
        _check_refund(request)
        await self._buckets.refund(request.company_id, request.spend_id, request.count)
        return ratelimit_pb2.RefundResponse()

    async def _spend(
        self, request: ratelimit_pb2.SpendRequest, *, waits: bool
    ) -> ratelimit_pb2.SpendResponse:
        decision = await self._spending.spend(*_parse_spend(request), waits=waits)
        return ratelimit_pb2.SpendResponse(
            granted=decision.granted,
            accept_time=wire.timestamp(decision.accept_time),
            limits=[_render(standing, decision) for standing in decision.standings],
        )


def _outcome(outcome: ratelimit_pb2.SpendResponse | BaseException) -> ratelimit_pb2.SpendOutcome:
    if isinstance(outcome, ratelimit_pb2.SpendResponse):
        return ratelimit_pb2.SpendOutcome(response=outcome)
    if not isinstance(outcome, Exception):
        raise outcome  # the process is ending
    return ratelimit_pb2.SpendOutcome(error=to_status(interceptors.typed(outcome)))


def _parse_spend(request: ratelimit_pb2.SpendRequest) -> tuple[Holder, Spend]:
    problems = Problems()
    _check_ids(problems, request.spend_id, request.company_id)
    if resource_id(request.scanner_id) is None:
        problems.add("scanner_id", "must be a UUID in lower case with dashes")
    if not 1 <= request.cost <= _MAX_COST:
        problems.add("cost", f"must be 1 to {_MAX_COST}")
    if request.scanner_type and request.scanner_type not in BY_SCANNER_TYPE:
        problems.add("scanner_type", f"must be empty or one of {', '.join(BY_SCANNER_TYPE)}")
    problems.raise_any()
    holder = Holder(request.company_id, request.scanner_id, request.scanner_type)
    return holder, Spend(request.spend_id, request.cost, request.partial)


def _check_many(request: ratelimit_pb2.SpendManyRequest) -> None:
    problems = Problems()
    if not 1 <= len(request.spends) <= _MAX_SPENDS:
        problems.add("spends", f"must be 1 to {_MAX_SPENDS}")
    problems.raise_any()


def _check_refund(request: ratelimit_pb2.RefundRequest) -> None:
    problems = Problems()
    _check_ids(problems, request.spend_id, request.company_id)
    if request.count < 1:
        problems.add("count", "must be at least 1")
    problems.raise_any()


def _check_ids(problems: Problems, spend_id: str, company_id: int) -> None:
    check_text(problems, "spend_id", spend_id, at_least=1, at_most=_MAX_SPEND_ID)
    if company_id < 1:
        problems.add("company_id", "must be a company's id")


def _render(standing: Standing, decision: Decision) -> ratelimit_pb2.SpendLimit:
    delay = _retry_delay(standing, decision) if standing.refused else None
    return ratelimit_pb2.SpendLimit(
        name=standing.name,
        limit=standing.limit,
        remaining=standing.remaining,
        retry_delay=wire.duration(delay) if delay is not None else None,
    )


def _retry_delay(standing: Standing, decision: Decision) -> timedelta:
    if standing.name is not Name.COMPANY_MONTH:
        return standing.wait
    return quota.retry_delay(standing.limit, standing.ledger_total, decision.accept_time)
