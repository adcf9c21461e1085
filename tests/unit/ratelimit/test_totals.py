from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis import deadline
from services.chassis.errors import DeadlineExceeded, Internal, Unavailable
from services.ratelimit.quota import Base
from services.ratelimit.totals import ASK_SECONDS, Totals
from tests.fakes.auth import SettableClock
from tests.fakes.limits import FakeBilling, message
from tests.servers.polling import eventually

NOW = datetime(2026, 11, 12, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST_TRY_SECONDS = 0.12
"""What is left of ingest's first try once the interceptor has kept its part."""


def base(total, watermark=NOW - 20 * SECOND, *, company_id=7):
    return Base(company_id, "2026-11", total, watermark, watermark + 20 * SECOND)


class Rebased:
    """Buckets that remember what was brought to them."""

    def __init__(self):
        self.bases = []

    async def rebase(self, base, now):
        assert now == NOW
        self.bases.append(base)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def billing():
    return FakeBilling()


@pytest.fixture
def buckets():
    return Rebased()


@pytest.fixture
def totals(billing, buckets, heard):
    return Totals(billing, buckets, heard.append, clock=SettableClock(NOW))


def hear(totals, told):
    totals.learn(str(told.company_id), message(told).SerializeToString())


async def test_an_older_total_and_the_same_again_are_no_news(totals, buckets, heard):
    newer = base(5)
    for each in (newer, base(3, NOW - 40 * SECOND), newer):
        hear(totals, each)
    assert heard == [newer]
    assert await totals.bring(7, NOW)
    assert buckets.bases == [newer]


async def test_the_watermark_is_one_for_all_companies_and_goes_forward(totals):
    hear(totals, base(0, NOW))
    hear(totals, base(0, NOW - 40 * SECOND, company_id=8))
    assert totals.watermark == NOW


async def test_many_who_ask_at_once_ask_billing_once(totals, billing, buckets):
    told = billing.tell(7, 5, NOW - 20 * SECOND, NOW)
    answers = await asyncio.gather(*(totals.bring_latest(7, "2026-11") for _ in range(20)))
    assert answers == [True] * 20
    assert (billing.asked, buckets.bases) == (1, [told])


async def test_an_old_total_is_better_than_none_when_billing_is_away(totals, billing, buckets):
    old = base(5, NOW - timedelta(hours=2))
    hear(totals, old)
    billing.error = Unavailable("away")
    assert await totals.bring(7, NOW)
    assert not await totals.bring(8, NOW)
    assert buckets.bases == [old]


async def test_within_ingests_first_try_billing_has_time_to_answer(totals, billing, buckets):
    told = billing.tell(7, 5, NOW - 20 * SECOND, NOW)
    deadline.begin(FIRST_TRY_SECONDS)
    assert await totals.bring_latest(7, "2026-11")
    assert buckets.bases == [told]


async def test_what_comes_after_its_caller_has_gone_is_brought_all_the_same(totals, billing, buckets):
    told = billing.tell(7, 5, NOW - 20 * SECOND, NOW)
    deadline.begin(0)
    assert not await totals.bring_latest(7, "2026-11")

    async def brought():
        return buckets.bases == [told]

    await eventually(brought, "the total")


async def test_a_caller_in_a_hurry_shortens_the_wait_of_no_other(totals, billing):
    billing.tell(7, 5, NOW - 20 * SECOND, NOW)
    billing.open.clear()

    async def waiting(seconds):
        deadline.begin(seconds)
        return await totals.bring_latest(7, "2026-11")

    async def hurried_and_let_it_answer():
        answer = await waiting(0)
        billing.open.set()
        return answer

    answers = await asyncio.gather(hurried_and_let_it_answer(), waiting(5))
    assert answers == [False, True]
    assert billing.asked == 1


@pytest.mark.parametrize(
    ("error", "asked"), [(Unavailable("away"), 1), (DeadlineExceeded("slow"), 1), (Internal("a fault"), 3)]
)
async def test_only_a_billing_that_is_away_is_left_alone_for_a_while(totals, billing, error, asked):
    billing.error = error
    for company_id in (7, 8, 9):
        assert not await totals.bring_latest(company_id, "2026-11")
    assert billing.asked == asked


async def test_callers_in_a_hurry_do_not_have_billing_left_alone(totals, billing):
    deadline.begin(0)
    for company_id in (7, 8, 9):
        billing.tell(company_id, 5, NOW - 20 * SECOND, NOW)
        assert not await totals.bring_latest(company_id, "2026-11")
    deadline.begin(5)
    assert await totals.bring_latest(7, "2026-11")


async def test_a_billing_that_hangs_is_waited_for_no_longer_than_it_may(totals, billing, caplog):
    billing.open.clear()
    begun = asyncio.get_running_loop().time()
    assert not await totals.bring_latest(7, "2026-11")
    assert asyncio.get_running_loop().time() - begun < ASK_SECONDS + 0.5
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
