"""Spending: asks the buckets, and fetches what they say is needed first, until they decide.

An override is fetched from the database, a base from the ledger, a later time from the watermark; the buckets charge
nothing until they have what they need. Where the ledger cannot be asked, the quota refuses nothing it is not sure of.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from services.chassis import telemetry
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.plans import Plan
from services.ratelimit.buckets import Buckets
from services.ratelimit.decision import (
    LOOK,
    Answer,
    BaseNeeded,
    Certainty,
    Decision,
    Holder,
    LaterNeeded,
    OverridesNeeded,
    Question,
    Spend,
    Trust,
)
from services.ratelimit.limits import defaults
from services.ratelimit.override_source import OverrideSource
from services.ratelimit.quota import period_of
from services.ratelimit.totals import Totals
from services.ratelimit.upkeep import Upkeep

_MOST_NEEDS = 8
"""Each is needed once, twice if Valkey loses it meanwhile."""
_INSTANT = timedelta(microseconds=1)
_ALARM_AFTER = timedelta(seconds=10)

_log = logging.getLogger(__name__)
_uncertain = telemetry.meter(__name__).create_counter(
    "ratelimit.uncertain_quotas", description="scans granted on less than all that is used of the quota"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where that comes from which the buckets do not know."""

    plan_of: Callable[[int], Plan]
    overrides: OverrideSource
    totals: Totals


class Spending:
    """Decides what is granted to whom."""

    def __init__(self, buckets: Buckets, sources: Sources, upkeep: Upkeep, *, clock: Clock) -> None:
        self._buckets = buckets
        self._sources = sources
        self._upkeep = upkeep
        self._clock = clock
        self._alarm_next = clock()

    async def spend(self, holder: Holder, spend: Spend, *, waits: bool = True) -> Decision:
        """Spend for scans of a scanner: for all or none of them, or as many as fit.

        Args:
            holder: whose scans.
            spend: for how many.
            waits: whether to fetch what Valkey does not hold; else that is a failure.

        Raises:
            Unavailable: Valkey is away, or knows no overrides and the database is away; whether anything was charged
                is told by spending with the same id again. Or something must be fetched, and nothing was charged.
        """
        decision = await self._decide(self._question(holder, spend), self._buckets.spend, waits=waits)
        self._upkeep.served(holder.company_id, decision)
        self._count(holder.company_id, decision)
        return decision

    async def peek(self, holder: Holder) -> Decision:
        """Answer how limits stand; nothing is charged.

        Raises:
            Unavailable: as for `spend`.
        """
        return await self._decide(self._question(holder, LOOK), self._buckets.peek)

    def _question(self, holder: Holder, spend: Spend) -> Question:
        now = self._clock()
        accept_time = max(now, self._sources.totals.watermark + _INSTANT)
        plan = self._sources.plan_of(holder.company_id)
        return Question(holder, spend, now, accept_time, defaults(plan, holder.scanner_type))

    async def _decide(
        self, question: Question, ask: Callable[[Question], Awaitable[Answer]], *, waits: bool = True
    ) -> Decision:
        for _ in range(_MOST_NEEDS):
            answer = await ask(question)
            if isinstance(answer, Decision):
                return answer
            if not (waits or isinstance(answer, LaterNeeded)):  # a later time is at hand
                raise Unavailable("what the limits are decided by has to be fetched first")
            question = await self._met(question, answer)
        raise Unavailable("the limits are lost as soon as they are told")

    async def _met(self, question: Question, need: OverridesNeeded | LaterNeeded | BaseNeeded) -> Question:
        """Meet a need, and answer the question to ask then."""
        company_id = question.holder.company_id
        match need:
            case OverridesNeeded():
                await self._sources.overrides.load(company_id)
                return question
            case LaterNeeded(watermark):
                return replace(question, accept_time=watermark + _INSTANT)
            case BaseNeeded(stale=True):
                await self._sources.totals.bring_latest(company_id, period_of(question.accept_time))
                return replace(question, trust=Trust.STALE)
            case _:
                found = await self._sources.totals.bring(company_id, question.accept_time)
                return question if found else replace(question, trust=Trust.NONE)

    def _count(self, company_id: int, decision: Decision) -> None:
        if decision.certainty is Certainty.EXACT or not decision.granted:
            return
        _uncertain.add(decision.granted, {"why": decision.certainty})
        if decision.certainty is Certainty.NO_BASE and decision.accept_time >= self._alarm_next:
            self._alarm_next = decision.accept_time + _ALARM_AFTER
            _log.warning(
                "quotas are open: the ledger's totals are not known", extra={"company_id": company_id}
            )
