"""Spends of several scanners and companies: one call, each its own outcome, and nobody suffers from a neighbour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from services.chassis.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    MeshError,
    Reason,
    Unavailable,
    Unimplemented,
)
from services.chassis.subjects import Lane
from services.ingest.grants import Grant
from services.ingest.limiter import Limiter
from tests.fakes import identities
from tests.fakes.ratelimit import Answer, FakeRateLimit, Spend, limit
from tests.servers.polling import eventually
from tests.unit.ingest.limiting import SECOND, spend

COMPANIES = (7, 8, 9)


async def each_spends(limiter: Limiter, cost: int = 1) -> list[Grant]:
    """Spend for a scanner of each company, at once."""
    spending = (spend(limiter, cost, company_id=company_id) for company_id in COMPANIES)
    return await asyncio.gather(*spending)


async def asked_for(service: FakeRateLimit, spends: int) -> None:
    """Return when the service has been asked for so many."""

    async def all_of_them() -> bool:
        return len(service.spends) == spends

    await eventually(all_of_them, f"{spends} spends")


def asked(service: FakeRateLimit) -> list[list[int]]:
    """The companies of each call for several."""
    return [[request.company_id for request in call] for call in service.calls]


def failing(service: FakeRateLimit, company_id: int, error: MeshError) -> Callable[[Spend], Answer]:
    """Fail the spends of one company, and grant those of the others."""

    def answer(request: Spend) -> Answer:
        if request.company_id == company_id:
            raise error
        return service.granting(request.cost)

    return answer


async def test_spends_that_come_together_share_a_call_and_each_gets_its_own_answer(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.answer = lambda request: service.granting(
        request.company_id - 7, limit("scanner.minute", 50, retry_delay=request.company_id * SECOND)
    )
    grants = await each_spends(limiter, 5)
    assert asked(service) == [[7, 8, 9]]
    assert len(service.spends) == 3
    assert [grant.granted for grant in grants] == [0, 1, 2]
    assert [grant.refusal.retry_delay / SECOND for grant in grants] == [7, 8, 9]
    assert [grant.spend.spend_id for grant in grants] == [request.spend_id for request in service.spends]


async def test_who_comes_a_little_later_does_not_wait_longer_for_it(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    """A machine that is busy may keep one of them back; that each waits for itself would be seen every time."""
    for _ in range(20):
        spending = []
        for company_id in COMPANIES:
            spending.append(asyncio.ensure_future(spend(limiter, company_id=company_id)))
            await asyncio.sleep(0.002)
        await asyncio.gather(*spending)
        if asked(service)[-1] == [7, 8, 9]:
            return
    pytest.fail(f"never together: {asked(service)}")


async def test_scanners_of_one_company_are_spends_of_their_own(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    scanners = [f"0190163d-8694-739b-aea5-966c26f8ad9{number}" for number in range(3)]
    await asyncio.gather(*(spend(limiter, 600, subject=scanner) for scanner in scanners))
    [call] = service.calls
    assert [(request.scanner_id, request.cost) for request in call] == [
        (scanner, 600) for scanner in scanners
    ]


@pytest.mark.parametrize("error", [Unavailable("fetched first"), DeadlineExceeded("late"), Internal("once")])
async def test_what_fails_in_company_is_asked_for_alone_under_its_id_and_its_neighbours_are_not(
    limiter: Limiter, service: FakeRateLimit, error: MeshError
) -> None:
    def answer(request: Spend) -> Answer:
        if request.company_id == 8 and len(service.spends) == 3:
            raise error
        return service.granting(request.cost)

    service.answer = answer
    grants = await each_spends(limiter)
    assert all(grant.spend for grant in grants)
    *together, alone = service.spends
    assert (len(together), alone) == (3, together[1])


async def test_neighbours_do_not_wait_for_the_second_try_of_one(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.answer = failing(service, 8, Unavailable("fetched first"))
    in_company = service.SpendMany

    async def alone_hangs(*request: object, **how: object) -> object:
        answer = await in_company(*request, **how)  # type: ignore[arg-type]
        service.open.clear()
        return answer

    service.SpendMany = alone_hangs  # type: ignore[method-assign, assignment]
    slow = asyncio.ensure_future(spend(limiter, company_id=8))
    others = [asyncio.ensure_future(spend(limiter, company_id=company_id)) for company_id in (7, 9)]
    assert all(grant.spend for grant in await asyncio.gather(*others))
    assert not slow.done()
    service.open.set()
    assert (await slow).spend is None


@pytest.mark.parametrize("error", [Unimplemented("older"), InvalidArgument("too many")])
async def test_a_call_that_is_not_taken_fails_no_spend_of_it(
    limiter: Limiter, service: FakeRateLimit, error: MeshError
) -> None:
    service.call_error = error
    grants = await each_spends(limiter)
    assert all(grant.spend for grant in grants)
    assert service.spends == 2 * service.calls[0]


@pytest.mark.parametrize(("silent", "granted"), [(1, True), (2, False)])
async def test_a_call_that_nobody_answers_is_made_once_more_as_it_is(
    limiter: Limiter, service: FakeRateLimit, *, silent: int, granted: bool
) -> None:
    """Not each spend by itself: that would multiply the load on a service that is short of breath."""
    in_company, calls = service.SpendMany, []

    async def silent_at_first(request: Any, **how: Any) -> Any:
        calls.append([spend.spend_id for spend in request.spends])
        if len(calls) <= silent:
            raise Unavailable("away")
        return await in_company(request, **how)

    service.SpendMany = silent_at_first  # type: ignore[method-assign, assignment]
    grants = await each_spends(limiter)
    assert [bool(grant.spend) for grant in grants] == [granted] * len(grants)
    assert len(calls) == 2
    assert calls[0] == calls[1]


async def test_an_answer_that_does_not_speak_of_every_spend_is_none(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    in_company = service.SpendMany

    async def forgetting(*request: object, **how: object) -> object:
        answer = await in_company(*request, **how)  # type: ignore[arg-type]
        del answer.outcomes[0]
        return answer

    service.SpendMany = forgetting  # type: ignore[method-assign, assignment]
    service.answer = lambda request: service.granting(request.company_id - 7)
    grants = await each_spends(limiter, 5)
    assert [grant.granted for grant in grants] == [0, 1, 2]
    assert len(service.spends) == 6


async def test_a_fault_of_one_is_decided_without_an_answer_and_counts_for_nobody_else(
    limiter: Limiter, service: FakeRateLimit
) -> None:
    service.answer = failing(service, 8, InvalidArgument("no"))
    for _ in range(5):
        assert [bool(grant.spend) for grant in await each_spends(limiter)] == [True, False, True]


async def test_without_the_service_all_of_them_are_decided_here_with_one_alarm_and_then_without_asking(
    limiter: Limiter, service: FakeRateLimit, caplog: pytest.LogCaptureFixture
) -> None:
    service.fail(Unavailable("away"))
    grants = await each_spends(limiter)
    assert [(grant.granted, grant.spend) for grant in grants] == [(1, None)] * 3
    assert len(service.spends) == 6
    await each_spends(limiter)
    assert len(service.spends) == 6
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


async def test_who_leaves_meanwhile_disturbs_no_neighbour(limiter: Limiter, service: FakeRateLimit) -> None:
    service.open.clear()
    leaving, *staying = [
        asyncio.ensure_future(spend(limiter, company_id=company_id)) for company_id in COMPANIES
    ]
    await asked_for(service, 3)
    leaving.cancel()
    service.open.set()
    assert all(grant.spend for grant in await asyncio.gather(*staying))
    assert asked(service) == [[7, 8, 9]]


async def test_a_scanner_that_sends_too_much_waits_alone(limiter: Limiter, service: FakeRateLimit) -> None:
    """Each of its requests is a spend of its own; two are under way, and those of others go at once."""
    service.open.clear()
    flood = [asyncio.ensure_future(spend(limiter, 1_000, lane=Lane.PREMIUM)) for _ in range(5)]
    await asked_for(service, 2)
    assert asked(service) == [[identities.COMPANY_ID] * 2]
    other = asyncio.ensure_future(spend(limiter, company_id=9, lane=Lane.STANDARD))
    await asked_for(service, 3)
    assert asked(service)[1:] == [[9]]
    service.open.set()
    assert (await other).spend
    await asyncio.gather(*flood, return_exceptions=True)


async def test_more_than_a_call_takes_go_in_several_at_once(limiter: Limiter, service: FakeRateLimit) -> None:
    service.open.clear()
    spending = [asyncio.ensure_future(spend(limiter, company_id=company_id)) for company_id in range(1, 301)]
    await asked_for(service, 300)
    assert [len(call) for call in service.calls] == [128, 128, 44]
    service.open.set()
    assert all(grant.spend for grant in await asyncio.gather(*spending))


async def test_what_refuses_one_is_not_told_to_another(limiter: Limiter, service: FakeRateLimit) -> None:
    def answer(request: Spend) -> Answer:
        refused = request.company_id == 8
        name = "company.month" if refused else "scanner.minute"
        return service.granting(0 if refused else 1, limit(name, 50, retry_delay=SECOND if refused else None))

    service.answer = answer
    grants = await each_spends(limiter)
    assert [grant.refusal and grant.refusal.reason for grant in grants] == [None, Reason.QUOTA_EXCEEDED, None]
