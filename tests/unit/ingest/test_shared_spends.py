"""Requests of one scanner that come together: one spend, and each its own answer."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.errors import Reason
from services.ingest import limiter as limiter_module
from services.ingest.errands import Errands
from services.ingest.grants import Grant, Spend
from services.ingest.limiter import Limiter
from services.ingest.ratelimit import CALL_SECONDS
from services.ingest.shedding import Overloaded
from tests.fakes import identities
from tests.fakes.ratelimit import FakeRateLimit, limit
from tests.unit.ingest.limiting import NOW, SECOND, refunded, spend


async def together(limiter: Limiter, service: FakeRateLimit, *costs: int) -> list[Grant]:
    """Spend for a scan, twice, and, while the answers are on their way, for some requests at once; answer what these got."""
    service.open.clear()
    first = []
    for _ in range(2):
        first.append(asyncio.ensure_future(spend(limiter)))
        await asyncio.sleep(0.03)
    others = [asyncio.ensure_future(spend(limiter, cost)) for cost in costs]
    await asyncio.sleep(0.03)
    assert len(service.spends) == 2
    service.open.set()
    await asyncio.gather(*first)
    return await asyncio.gather(*others)


async def test_requests_of_one_scanner_that_come_together_ask_together(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.answer = lambda request: service.granting(
        min(request.cost, 6), limit("scanner.minute", 50, retry_delay=SECOND)
    )
    grants = await together(limiter, service, 4, 3, 2)
    assert [request.cost for request in service.spends] == [1, 1, 9]
    assert [(grant.granted, bool(grant.refusal)) for grant in grants] == [(4, False), (2, True), (0, True)]
    assert len({grant.spend.spend_id for grant in grants}) == 1


async def test_other_scanners_do_not_wait(limiter: Limiter, service: FakeRateLimit) -> None:
    service.open.clear()
    spending = [
        asyncio.ensure_future(spend(limiter, company_id=company_id, lane=lane))
        for company_id, lane in ((7, "standard"), (8, "standard"))
    ]
    await asyncio.sleep(0.05)
    assert len(service.spends) == 2
    service.open.set()
    await asyncio.gather(*spending)


async def test_no_call_asks_for_more_than_a_thousand(limiter: Limiter, service: FakeRateLimit) -> None:
    await together(limiter, service, 600, 400, 1)
    assert [request.cost for request in service.spends] == [1, 1, 1_000, 1]


async def test_what_is_lost_of_a_shared_spend_is_given_back_at_once_when_all_is_known(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    grants = await together(limiter, service, 4, 3, 2)
    for grant, lost in zip(grants, (4, 0, 1), strict=True):
        assert service.refunds == []
        await refunded(limiter, begun, grant, lost)
    assert service.refunds == [(grants[0].spend.spend_id, identities.COMPANY_ID, 5)]


async def test_what_comes_too_late_for_a_request_stays_charged_for_it_was_decided_without(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    service.open.clear()
    first = asyncio.ensure_future(spend(limiter))
    await asyncio.sleep(CALL_SECONDS)
    other = asyncio.ensure_future(spend(limiter, 2))
    assert (await first).spend is None  # its time is over; the call that it began goes on
    service.open.set()
    assert (await other).granted == 2
    await begun.drain()
    assert service.refunds == []


async def test_a_late_answer_holds_up_no_refund_of_those_who_shared_the_spend(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    identity, spent = identities.scanner(), Spend("s", 2)
    ask = limiter_module._Ask(1, sent=True, grant=Grant(spent, 1, NOW), gone=True)
    limiter._leave_charged(identity, ask)
    await refunded(limiter, begun, Grant(spent, 3, NOW), 3)
    assert service.refunds == [("s", identities.COMPANY_ID, 3)]


async def test_a_scanner_that_sends_more_than_can_be_asked_for_has_to_wait_and_keeps_its_limits(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.open.clear()
    spending = [asyncio.ensure_future(spend(limiter, 600)) for _ in range(5)]
    outcomes = await asyncio.gather(*spending, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[-2:]] == [Overloaded, Overloaded]
    assert not any(isinstance(outcome, Overloaded) for outcome in outcomes[:2])


async def test_each_request_is_told_of_the_limits_that_refuse_it_and_when_there_is_room_for_it(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    """Of 12 scans 3 are granted: of the minute's 10 nothing is left then, the quota had room for 6 more."""
    service.answer = lambda request: service.granting(
        min(request.cost, 3),
        limit("scanner.minute", 10, remaining=0, retry_delay=54 * SECOND),
        limit("company.month", 100, remaining=6, retry_delay=1_800 * SECOND),
    )
    grants = await together(limiter, service, 2, 4, 3, 3)
    told = [grant.refusal and (grant.refusal.reason, grant.refusal.retry_delay / SECOND) for grant in grants]
    assert told == [
        None,
        (Reason.RATE_LIMITED, pytest.approx(18)),
        (Reason.RATE_LIMITED, pytest.approx(36)),
        (Reason.QUOTA_EXCEEDED, 1_800),
    ]


async def test_nothing_is_kept_of_scanners_that_ask_no_more(limiter: Limiter) -> None:
    await asyncio.gather(*(spend(limiter, company_id=company_id) for company_id in range(1, 20)))
    await asyncio.sleep(0)
    assert limiter._callers == {}
