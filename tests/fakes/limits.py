"""Questions to the buckets, made as the service makes them, and a ledger that is asked for bases."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scanmesh.billing.v1 import usage_pb2

from services.chassis import deadline, ids, wire
from services.chassis.errors import DeadlineExceeded, MeshError, Unavailable
from services.ratelimit.buckets import Buckets
from services.ratelimit.decision import LOOK, Decision, Holder, Question, Spend, Trust
from services.ratelimit.limits import Default, Defaults, Enforcement, Name
from services.ratelimit.overrides import WHOLE_COMPANY, Overrides
from services.ratelimit.quota import Base, period_of

SCANNER = "0192d3b0-7b1e-7cc3-9a55-000000000001"
COUNTED = Enforcement.COUNT
_ANSWER_SECONDS = 0.03
"""What a service keeps of the deadline that the limiter gives it."""


def defaults(by_name: Mapping[Name, int | None], enforcement: Enforcement = COUNTED) -> Defaults:
    """Answer defaults with these limits and no others."""
    return Defaults({name: Default(by_name.get(name)) for name in Name}, enforcement)


@dataclass
class Asker:
    """Asks the buckets for one company, whose overrides it has told them."""

    buckets: Buckets
    company_id: int
    defaults: Defaults
    scanner_id: str = SCANNER
    trust: Trust = Trust.FRESH

    async def begin(self, now: datetime, overrides: Mapping[tuple[UUID, Name], int] | None = None) -> Asker:
        """Tell the buckets the company's overrides."""
        await self.override(overrides or {}, now, revision=0)
        return self

    async def override(
        self, values: Mapping[tuple[UUID, Name], int], now: datetime, *, revision: int
    ) -> None:
        """Tell the buckets a state of the company's overrides."""
        await self.buckets.set_overrides(self.company_id, Overrides(revision, values), now)

    async def ask(
        self,
        now: datetime,
        cost: int = 1,
        *,
        partial: bool = False,
        spend_id: str = "",
        accept_time: datetime | None = None,
    ):
        """Spend, and answer whatever the buckets say."""
        spend = Spend(spend_id or ids.message_id(), cost, partial)
        return await self.buckets.spend(self._question(now, spend, accept_time))

    async def spend(self, now: datetime, cost: int = 1, **how: Any):
        """Spend, and answer the decision."""
        answer = await self.ask(now, cost, **how)
        assert isinstance(answer, Decision), answer
        return answer

    async def look(self, now: datetime) -> Decision:
        """Answer how the limits stand."""
        answer = await self.buckets.peek(self._question(now, LOOK))
        assert isinstance(answer, Decision), answer
        return answer

    def _question(self, now: datetime, spend: Spend, accept_time: datetime | None = None) -> Question:
        holder = Holder(self.company_id, self.scanner_id)
        return Question(holder, spend, now, accept_time or now, self.defaults, self.trust)


def standing(decision: Decision, name: Name):
    """Answer how one limit stands."""
    (found,) = [each for each in decision.standings if each.name == name]
    return found


def whole_company(**by_name: int) -> Mapping[tuple[UUID, Name], int]:
    """Answer overrides of the company: `month=5` is `company.month`."""
    return {(WHOLE_COMPANY, Name(f"company.{name}")): value for name, value in by_name.items()}


@dataclass
class FakeBilling:
    """A ledger that says what it is told to, or nothing, within the deadline it is given."""

    error: MeshError | None = None
    asked: int = 0
    bases: dict[int, Base] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Unset, it holds back every answer."""

    def __post_init__(self) -> None:
        self.open.set()

    def tell(self, company_id: int, total: int, watermark: datetime, as_of: datetime) -> Base:
        """Have the ledger hold a total."""
        base = Base(company_id, period_of(watermark), total, watermark, as_of)
        self.bases[company_id] = base
        return base

    async def GetLedgerTotal(self, request, *, timeout):  # noqa: ASYNC109 - as the stub has it
        self.asked += 1
        left = deadline.remaining()
        try:
            async with asyncio.timeout(timeout if left is None else min(timeout, left) - _ANSWER_SECONDS):
                await asyncio.sleep(0)
                await self.open.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("no answer within the deadline") from error
        if self.error is not None:
            raise self.error
        if request.company_id not in self.bases:
            raise Unavailable("billing is away")
        base = self.bases[request.company_id].for_period(request.period)
        assert base is not None
        return usage_pb2.GetLedgerTotalResponse(total=message(base))


def message(base: Base) -> usage_pb2.LedgerTotal:
    """Answer a base as billing writes it."""
    return usage_pb2.LedgerTotal(
        company_id=base.company_id,
        period=base.period,
        quantity=base.total,
        watermark_time=wire.timestamp(base.watermark),
        as_of_time=wire.timestamp(base.as_of),
    )
