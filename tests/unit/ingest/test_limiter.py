from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.ratelimit.v1 import ratelimit_pb2

from services.chassis import deadline
from services.chassis.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    MeshError,
    Reason,
    Unavailable,
)
from services.ingest.breaker import Breaker
from services.ingest.errands import Errands
from services.ingest.grants import Grant, Refusal, Spend
from services.ingest.limiter import Limiter
from services.ingest.ratelimit import CALL_SECONDS, FIRST_TRY_SECONDS, RateLimit
from tests.fakes import identities
from tests.fakes.auth import SettableClock
from tests.fakes.monotonic import Monotonic
from tests.fakes.plans import FakePlans
from tests.fakes.ratelimit import FakeRateLimit, limit
from tests.unit.ingest.limiting import NOW, SECOND, TOLD, refunded, spend

AWAY = [Unavailable("away"), DeadlineExceeded("no answer")]


async def test_a_spend_says_who_spends_and_how_much(limiter: Limiter, service: FakeRateLimit) -> None:
    grant = await spend(limiter, 7, scanner_type="dock", region="eu_1")
    (request,) = service.spends
    assert (request.company_id, request.scanner_id) == (identities.COMPANY_ID, identities.SCANNER_ID)
    assert (request.region, request.scanner_type, request.cost) == ("eu_1", "dock", 7)
    assert request.partial
    assert len(request.spend_id) == 32
    assert grant == Grant(Spend(request.spend_id, unsettled=1), 7, TOLD)


async def test_each_spend_has_an_id_of_its_own(limiter: Limiter, service: FakeRateLimit) -> None:
    await spend(limiter)
    await spend(limiter)
    assert len({request.spend_id for request in service.spends}) == 2


async def test_what_is_refused_says_why_and_for_how_long(limiter: Limiter, service: FakeRateLimit) -> None:
    service.grant(
        3,
        limit("company.minute", 10_000, remaining=500),
        limit("company.month", 100, retry_delay=30 * SECOND),
        limit("scanner.minute", 50, retry_delay=2 * SECOND),
    )
    grant = await spend(limiter, 10)
    assert (grant.granted, grant.accept_time) == (3, TOLD)
    assert grant.refusal == Refusal(Reason.QUOTA_EXCEEDED, "company.month", 30 * SECOND)


async def test_a_delay_with_nothing_refused_is_no_refusal(limiter: Limiter, service: FakeRateLimit) -> None:
    service.grant(5, limit("scanner.minute", 50, retry_delay=SECOND))
    assert (await spend(limiter, 5)).refusal is None


async def test_less_than_asked_for_without_a_reason_comes_again_all_the_same(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.grant(0)
    grant = await spend(limiter)
    assert (grant.granted, grant.refusal.reason) == (0, Reason.RATE_LIMITED)
    assert grant.refusal.retry_delay > timedelta(0)


@pytest.mark.parametrize("error", AWAY)
async def test_a_failed_try_is_followed_by_one_under_the_same_id(
    limiter: Limiter, service: FakeRateLimit, error: MeshError
) -> None:
    def answer(_: object) -> object:
        service.grant(1)
        raise error

    service.answer = answer
    assert (await spend(limiter)).spend
    assert len({request.spend_id for request in service.spends}) == 1
    assert len(service.spends) == 2
    assert service.timeouts == [FIRST_TRY_SECONDS, None]  # and then for as long as is left of the call
    assert await _asked(limiter, service) == 1  # nothing is paused


@pytest.mark.parametrize("error", AWAY)
async def test_without_an_answer_this_process_decides_by_its_own_clock(
    limiter: Limiter, service: FakeRateLimit, error: MeshError
) -> None:
    service.fail(error)
    grant = await spend(limiter, 1_000, scanner_type="handheld")
    assert (grant.granted, grant.accept_time, grant.spend) == (50, NOW, None)
    assert grant.refusal == Refusal(Reason.RATE_LIMITED, "scanner.minute", timedelta(minutes=1))
    assert len(service.spends) == 2


async def test_after_three_failures_the_service_is_not_asked_for_a_second_and_then_by_one(
    limiter: Limiter, service: FakeRateLimit, time: Monotonic
) -> None:
    service.fail(Unavailable("away"))
    assert await _asked(limiter, service, times=3) == 6
    assert await _asked(limiter, service, times=5) == 0
    time.now += 1
    assert await _asked(limiter, service, times=5) == 2  # one call, twice
    time.now += 1
    service.grant(1)
    assert await _asked(limiter, service, times=5) == 5
    assert (await spend(limiter)).spend


async def test_one_companys_failures_do_not_open_the_limits_of_others(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    def answer(request: ratelimit_pb2.SpendRequest) -> ratelimit_pb2.SpendResponse:
        if request.company_id == 8:
            raise Unavailable("its overrides cannot be read")
        return service.granting(request.cost)

    service.answer = answer
    spent = [await spend(limiter, company_id=company_id) for company_id in (8, 8, 7) * 4]
    assert [bool(grant.spend) for grant in spent] == [False, False, True] * 4


@pytest.mark.parametrize(
    ("now", "delay"),
    [
        (datetime(2026, 11, 30, 23, 58, tzinfo=UTC), timedelta(minutes=2)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), timedelta(minutes=30)),
        (NOW, timedelta(hours=1)),
    ],
)
async def test_an_ended_subscription_is_refused_in_the_fallback_too(
    service: FakeRateLimit, begun: Errands, plans: FakePlans, now: datetime, delay: timedelta
) -> None:
    asked = RateLimit(service, Breaker())  # type: ignore[arg-type]
    limiter = Limiter(asked, begun, SettableClock(now), plans.of)
    plans.subscribe(8, ended=True)
    service.fail(Unavailable("away"))
    grant = await spend(limiter, 5, company_id=8)
    assert (grant.granted, grant.spend) == (0, None)
    assert grant.refusal == Refusal(Reason.QUOTA_EXCEEDED, "company.month", delay)
    assert (await spend(limiter, 5)).granted == 5


@pytest.mark.parametrize("error", [InvalidArgument("no"), Internal("a fault")])
async def test_a_fault_of_one_request_lets_it_through_and_the_others_be_asked_for(
    limiter: Limiter, service: FakeRateLimit, error: MeshError
) -> None:
    service.fail(error)
    grant = await spend(limiter)
    assert (grant.granted, grant.spend) == (1, None)
    service.grant(1)
    assert (await spend(limiter)).spend


async def test_in_the_fallback_the_limits_last_heard_count(limiter: Limiter, service: FakeRateLimit) -> None:
    service.grant(1, limit("scanner.minute", 5), limit("company.minute", 8), limit("company.month", 1))
    await spend(limiter)
    service.fail(Unavailable("away"))
    assert (await spend(limiter, 100)).granted == 5
    other = await spend(limiter, 100, subject="0190163d-8694-739b-aea5-966c26f8ad92")
    assert (other.granted, other.refusal.limit) == (3, "company.minute")


async def test_a_caller_in_a_hurry_neither_spends_nor_opens_the_limits(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.fail(DeadlineExceeded("too short"))
    deadline.begin(CALL_SECONDS - 0.01)
    with pytest.raises(DeadlineExceeded):
        await spend(limiter)
    assert service.spends == []
    deadline.begin(10)
    service.grant(1)
    assert (await spend(limiter)).spend


async def test_the_fallback_is_alarmed_once_in_a_while(
    limiter: Limiter, service: FakeRateLimit, time: Monotonic, caplog: pytest.LogCaptureFixture
) -> None:
    service.fail(Unavailable("away"))
    for _ in range(5):
        await spend(limiter)
        time.now += 1
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in warnings] == ["limits are kept by this process alone"]


async def test_a_refund_names_the_spend_its_company_and_the_count(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    grant = await spend(limiter, 5)
    await refunded(limiter, begun, grant, 2)
    assert service.refunds == [(grant.spend.spend_id, identities.COMPANY_ID, 2)]


async def test_a_refund_has_time_though_the_request_that_spent_has_none_left(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    left: list[float | None] = []
    refund = service.Refund

    async def noting(request: object) -> object:
        left.append(deadline.remaining())
        return await refund(request)

    service.Refund = noting
    grant = await spend(limiter, 5)
    deadline.begin(-1)
    await refunded(limiter, begun, grant, 5)
    assert left[0] > 1


async def test_nothing_is_refunded_of_nothing_or_of_what_the_service_has_not_granted(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    await refunded(limiter, begun, await spend(limiter, 5), 0)
    service.fail(Unavailable("away"))
    await refunded(limiter, begun, await spend(limiter, 5), 5)
    assert service.refunds == []


async def test_a_refund_that_fails_is_let_go(
    limiter: Limiter, service: FakeRateLimit, begun: Errands
) -> None:
    service.refund_error = Unavailable("away")
    await refunded(limiter, begun, await spend(limiter, 5), 5)
    assert len(service.refunds) == 1


async def _asked(limiter: Limiter, service: FakeRateLimit, times: int = 1) -> int:
    """Spend so many times, and answer how often the service was asked."""
    before = len(service.spends)
    for _ in range(times):
        await spend(limiter)
    return len(service.spends) - before
