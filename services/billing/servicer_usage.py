"""UsageService: what the ledger knows, for those who decide by it. For the private network only."""

from __future__ import annotations

from typing import Any

from scanmesh.billing.v1 import usage_pb2, usage_pb2_grpc

from services.billing import wire
from services.billing.periods import is_period
from services.billing.store_usage import UsageStore
from services.chassis.clock import Clock
from services.chassis.fields import Problems


class UsageServicer(usage_pb2_grpc.UsageServiceServicer):
    """Answers totals from the database, never from what was told before."""

    def __init__(self, usage: UsageStore, *, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def GetLedgerTotal(
        self, request: usage_pb2.GetLedgerTotalRequest, context: Any
    ) -> usage_pb2.GetLedgerTotalResponse:
        problems = Problems()
        if request.company_id < 1:
            problems.add("company_id", "must be a company's id")
        if not is_period(request.period):
            problems.add("period", "must be a month, such as 2026-11")
        problems.raise_any()
        total = await self._usage.total(request.company_id, request.period, self._clock())
        return usage_pb2.GetLedgerTotalResponse(total=wire.total(total))
