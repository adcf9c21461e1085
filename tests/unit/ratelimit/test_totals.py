from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.ratelimit.quota import Base
from services.ratelimit.totals import Totals
from tests.fakes.limits import FakeBilling, message

NOW = datetime(2026, 11, 12, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def base(total, watermark=NOW - 20 * SECOND, *, company_id=7):
    return Base(company_id, "2026-11", total, watermark, watermark + 20 * SECOND)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def billing():
    return FakeBilling()


@pytest.fixture
def totals(billing, heard):
    return Totals(billing, heard.append)


def hear(totals, told):
    totals.learn(str(told.company_id), message(told).SerializeToString())


async def test_an_older_total_and_the_same_again_are_no_news(totals, heard):
    newer = base(5)
    for each in (newer, base(3, NOW - 40 * SECOND), newer):
        hear(totals, each)
    assert heard == [newer]
    assert await totals.base(7, NOW) == newer


async def test_the_watermark_is_one_for_all_companies_and_goes_forward(totals):
    hear(totals, base(0, NOW))
    hear(totals, base(0, NOW - 40 * SECOND, company_id=8))
    assert totals.watermark == NOW


async def test_many_who_ask_at_once_ask_billing_once(totals, billing):
    told = billing.tell(7, 5, NOW - 20 * SECOND, NOW)
    answers = await asyncio.gather(*(totals.latest(7, "2026-11") for _ in range(20)))
    assert answers == [told] * 20
    assert billing.asked == 1


async def test_an_old_total_is_better_than_none_when_billing_is_away(totals, billing):
    old = base(5, NOW - timedelta(hours=2))
    hear(totals, old)
    billing.up = False
    assert await totals.base(7, NOW) == old
    assert await totals.base(8, NOW) is None
