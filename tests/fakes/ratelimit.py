"""The service `ratelimit`, granting what a test says: as a stub for whoever calls it, or behind a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from scanmesh.ratelimit.v1 import ratelimit_pb2

from services.chassis import wire
from services.chassis.errors import MeshError, to_status

Spend = ratelimit_pb2.SpendRequest
Answer = ratelimit_pb2.SpendResponse
Outcome = ratelimit_pb2.SpendOutcome


def limit(
    name: str, most: int, *, remaining: int = 0, retry_delay: timedelta | None = None
) -> ratelimit_pb2.SpendLimit:
    """What a spend has left of a limit; with a delay, it refused some of it."""
    delay = None if retry_delay is None else wire.duration(retry_delay)
    return ratelimit_pb2.SpendLimit(name=name, limit=most, remaining=remaining, retry_delay=delay)


class FakeRateLimit:
    """Grants everything, or what it is told, and remembers what it was asked."""

    def __init__(self, accept_time: datetime) -> None:
        self._accept_time = accept_time
        self.answer: Callable[[Spend], Answer] = lambda request: self.granting(request.cost)
        self.spends: list[Spend] = []
        """All of them, in company or alone."""
        self.calls: list[list[Spend]] = []
        """Those in company, by call."""
        self.timeouts: list[float | None] = []
        self.refunds: list[tuple[str, int, int]] = []
        """Spend id, company and count of each."""
        self.refund_error: MeshError | None = None
        self.call_error: MeshError | None = None
        """How every call for several fails as a whole."""
        self.open = asyncio.Event()
        """Unset, it holds back every answer."""
        self.open.set()

    def granting(self, count: int, *limits: ratelimit_pb2.SpendLimit) -> Answer:
        """An answer that grants so many scans."""
        return Answer(granted=count, accept_time=wire.timestamp(self._accept_time), limits=limits)

    def grant(self, count: int, *limits: ratelimit_pb2.SpendLimit) -> None:
        """Grant at most so many scans from now on."""
        self.answer = lambda request: self.granting(min(count, request.cost), *limits)

    def fail(self, *errors: MeshError) -> None:
        """Fail with each of these in turn, and with the last one from then on."""
        left = list(errors)

        def answer(_: Spend) -> Answer:
            raise left.pop(0) if len(left) > 1 else left[0]

        self.answer = answer

    async def Spend(self, request: Spend, context: Any = None, *, timeout: float | None = None) -> Answer:  # noqa: ASYNC109 - gRPC's name
        self.spends.append(request)
        self.timeouts.append(timeout)
        await self.open.wait()
        return self.answer(request)

    async def SpendMany(
        self,
        request: ratelimit_pb2.SpendManyRequest,
        context: Any = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's name
    ) -> ratelimit_pb2.SpendManyResponse:
        self.calls.append(list(request.spends))
        self.spends += request.spends
        self.timeouts.append(timeout)
        await self.open.wait()
        if self.call_error is not None:
            raise self.call_error
        return ratelimit_pb2.SpendManyResponse(outcomes=map(self._outcome, request.spends))

    def _outcome(self, request: Spend) -> Outcome:
        try:
            return Outcome(response=self.answer(request))
        except MeshError as error:
            return Outcome(error=to_status(error))

    async def Refund(
        self, request: ratelimit_pb2.RefundRequest, context: Any = None
    ) -> ratelimit_pb2.RefundResponse:
        self.refunds.append((request.spend_id, request.company_id, request.count))
        if self.refund_error is not None:
            raise self.refund_error
        return ratelimit_pb2.RefundResponse()
