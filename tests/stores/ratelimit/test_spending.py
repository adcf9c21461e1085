"""What the buckets lack is fetched: overrides from the database, bases from what is heard or asked of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.chassis import ids
from services.chassis.errors import Unavailable
from services.chassis.plans import LONGEST_RETENTION, OverQuota, Plan
from services.chassis.subjects import Lane
from services.ratelimit.decision import Certainty, Holder, Spend
from services.ratelimit.limits import Name
from services.ratelimit.override_source import OverrideSource
from services.ratelimit.overrides import WHOLE_COMPANY, Override
from services.ratelimit.quota import Base
from services.ratelimit.spending import Sources, Spending
from services.ratelimit.store_override import OverrideStore
from services.ratelimit.totals import Totals
from services.ratelimit.upkeep import Upkeep
from tests.fakes.auth import SettableClock
from tests.fakes.limits import SCANNER, FakeBilling, message, standing

START = datetime(2026, 11, 12, 10, 0, 3, tzinfo=UTC)
WATERMARK = datetime(2026, 11, 12, 9, 59, 40, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REFUSE = Plan("starter", 20, None, None, OverQuota.REFUSE, Lane.STANDARD, LONGEST_RETENTION)


@pytest.fixture
def clock():
    return SettableClock(START)


@pytest.fixture
def billing():
    return FakeBilling()


class Replica:
    """One replica's decisions, over shared stores."""

    def __init__(self, db, limits, billing, clock):
        self.store = OverrideStore(db)
        self.source = OverrideSource(self.store, limits, clock)
        self.upkeep = Upkeep(limits, self.source, clock)
        self.totals = Totals(billing, limits, self.upkeep.heard, clock=clock)
        sources = Sources(lambda _: REFUSE, self.source, self.totals)
        self._spending = Spending(limits, sources, self.upkeep, clock=clock)

    async def spend(self, company_id, cost=1, *, partial=False):
        spend = Spend(ids.message_id(), cost, partial)
        return await self._spending.spend(Holder(company_id, SCANNER), spend)

    async def look(self, company_id):
        return await self._spending.peek(Holder(company_id, SCANNER))

    def hear(self, base: Base):
        self.totals.learn(str(base.company_id), message(base).SerializeToString())


@pytest.fixture
def replica(db, limits, billing, clock):
    return Replica(db, limits, billing, clock)


async def test_a_missing_base_is_the_one_that_was_heard(replica, billing, company_id):
    replica.hear(billing.tell(company_id, 5, WATERMARK, START))
    decision = await replica.spend(company_id, 50, partial=True)
    assert (decision.granted, billing.asked) == (15, 0)


async def test_one_that_nobody_has_told_is_asked_for(replica, billing, company_id):
    billing.tell(company_id, 5, WATERMARK, START)
    assert (await replica.spend(company_id, 50, partial=True)).granted == 15
    assert billing.asked == 1


async def test_of_an_idle_company_the_ledger_is_asked_rather_than_an_old_total_believed(
    replica, billing, company_id
):
    replica.hear(billing.tell(company_id, 0, WATERMARK - timedelta(hours=1), START - timedelta(hours=1)))
    billing.tell(company_id, 20, WATERMARK, START)
    assert (await replica.spend(company_id)).granted == 0


async def test_without_the_ledger_the_quota_is_open_and_says_so(replica, billing, company_id):
    billing.error = Unavailable("away")
    decision = await replica.spend(company_id, 20)
    assert (decision.granted, decision.certainty) == (20, Certainty.NO_BASE)
    assert (await replica.spend(company_id)).granted == 0  # that much is certain


async def test_a_ledger_that_failed_is_left_alone_for_a_while(replica, billing, new_company):
    billing.error = Unavailable("away")
    for _ in range(3):
        await replica.spend(new_company())
    assert billing.asked == 1


async def test_before_it_refuses_by_an_old_base_the_ledger_is_asked(replica, billing, clock, company_id):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.spend(company_id, 20)
    clock.advance(40 * SECOND)
    billing.tell(company_id, 8, WATERMARK + 40 * SECOND, clock())  # twelve of the twenty were duplicates
    assert (await replica.spend(company_id, 12)).granted == 12


async def test_it_refuses_by_what_is_known_when_the_ledger_is_away(replica, billing, clock, company_id):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.spend(company_id, 20)
    clock.advance(40 * SECOND)
    billing.error = Unavailable("away")
    refused = await replica.spend(company_id)
    assert refused.granted == 0
    assert standing(refused, Name.COMPANY_MONTH).ledger_total == 0


async def test_a_clock_behind_the_ledger_gives_a_later_accept_time(replica, billing, clock, company_id):
    watermark = START.replace(second=0) + timedelta(minutes=1)
    replica.hear(
        billing.tell(company_id + 1, 0, watermark, START)
    )  # of another company: there is one watermark
    assert (await replica.spend(company_id)).accept_time > watermark


async def test_a_clock_behind_the_ledger_keeps_the_time_of_the_buckets(replica, billing, clock, company_id):
    replica.hear(billing.tell(company_id, 0, START + timedelta(hours=1), START))
    await replica.store.set(Override(company_id, UUID(SCANNER), Name.SCANNER_MINUTE), 6, clock())
    await replica.spend(company_id, 6)
    delay = standing(await replica.spend(company_id), Name.SCANNER_MINUTE).wait
    assert delay == 10 * SECOND
    clock.advance(delay)
    assert (await replica.spend(company_id)).granted == 1


async def test_the_month_of_a_later_accept_time_is_the_one_that_is_spent_of(
    replica, limits, billing, clock, company_id
):
    december = datetime(2026, 12, 1, tzinfo=UTC)
    clock.advance(december - START - SECOND)
    await limits.rebase(Base(company_id, "2026-12", 0, december, december), december)
    decision = await replica.spend(company_id)
    assert decision.accept_time > december
    assert standing(decision, Name.COMPANY_MONTH).remaining == 19


async def test_overrides_come_from_the_database_when_valkey_has_lost_them(
    replica, billing, company_id, clock, forget
):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.store.set(Override(company_id, UUID(SCANNER), Name.SCANNER_MINUTE), 3, clock())
    assert (await replica.spend(company_id, 10, partial=True)).granted == 3
    forget()
    assert standing(await replica.look(company_id), Name.SCANNER_MINUTE).limit == 3


async def test_overrides_that_never_reached_valkey_are_found_in_the_background(
    replica, billing, company_id, clock
):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.spend(company_id)
    await replica.store.set(Override(company_id, WHOLE_COMPANY, Name.COMPANY_DAY), 7, clock())
    clock.advance(timedelta(minutes=6))
    await replica.spend(company_id)
    await replica.upkeep._work_off()
    assert standing(await replica.look(company_id), Name.COMPANY_DAY).limit == 7


async def test_totals_heard_of_a_company_served_let_its_cells_go(replica, billing, company_id, clock, valkey):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.spend(company_id, 5)
    clock.advance(30 * SECOND)
    replica.hear(billing.tell(company_id, 5, WATERMARK + 30 * SECOND, clock()))
    await replica.upkeep._work_off()
    with valkey.inspect() as client:
        kept = client.hgetall(f"{{c:{company_id}}}:limits:quota:2026-11")
    assert kept[b"pending"] == b"0"
    assert not [each for each in kept if each.isdigit()]


async def test_without_valkey_a_spend_is_unavailable_and_works_again_after(
    replica, billing, company_id, valkey
):
    billing.tell(company_id, 0, WATERMARK, START)
    await replica.spend(company_id)
    valkey.stop()
    try:
        with pytest.raises(Unavailable):
            await replica.spend(company_id)
    finally:
        valkey.start()
    assert (await replica.spend(company_id)).granted == 1
