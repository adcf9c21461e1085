"""The month's quota is the ledger's total up to its watermark and the cells after it, whatever comes in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ratelimit.decision import BaseNeeded, Certainty, LaterNeeded, Trust
from services.ratelimit.limits import Enforcement, Name
from services.ratelimit.quota import Base, period_of
from tests.fakes.limits import Asker, defaults, standing, whole_company

START = datetime(2026, 11, 12, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
QUOTA = 40


def cell_of(at: datetime) -> datetime:
    return at - timedelta(microseconds=at.microsecond, seconds=at.second % 10)


@dataclass
class World:
    """Grants and the ledger that gets to know them, as DESIGN section 4 has it: cell by cell, duplicates left out."""

    company_id: int
    now: datetime = START
    base: Base | None = None
    grants: list[tuple[datetime, int, int]] = field(default_factory=list)
    """Accept time, scans granted, and how many of those were scans that nobody had sent before."""

    def total(self, before: datetime) -> int:
        return sum(unique for accepted, _, unique in self.grants if accepted < before)

    @property
    def used(self) -> int:
        """What the quota knows: the ledger's total, and every grant it does not hold yet."""
        assert self.base is not None
        return self.base.total + sum(count for at, count, _ in self.grants if at >= self.base.watermark)

    def closed(self) -> Base:
        """What the ledger says now: its watermark is the end of a cell, at least 15 s ago."""
        watermark = cell_of(self.now - 15 * SECOND)
        return Base(self.company_id, period_of(watermark), self.total(watermark), watermark, self.now)


async def refusing(limits, company_id, **asked):
    by_name = defaults({Name.COMPANY_MONTH: QUOTA}, Enforcement.REFUSE)
    return await Asker(limits, company_id, by_name, **asked).begin(START)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.integers(1, 12), st.integers(0, 12)),
        st.tuples(st.just("wait"), st.integers(1, 25), st.just(0)),
        st.tuples(st.just("close"), st.just(0), st.just(0)),
        st.tuples(st.just("deliver"), st.integers(0, 20), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(steps=STEPS)
async def test_the_quota_is_ledger_plus_pending_and_never_over(limits, new_company, steps):
    world = World(new_company())
    asker = await refusing(limits, world.company_id, trust=Trust.STALE)
    said = [world.closed()]
    world.base = said[0]
    await limits.rebase(said[0], world.now)
    for what, number, duplicates in steps:
        if what == "spend":
            decision = await asker.spend(world.now, number, partial=True)
            assert decision.granted == min(
                number, max(0, QUOTA - world.used)
            )  # no false refusal, none too few
            unique = max(0, decision.granted - duplicates)
            world.grants.append((decision.accept_time, decision.granted, unique))
        elif what == "wait":
            world.now += number * SECOND
        elif what == "close":
            said.append(world.closed())
        else:  # totals come late, twice and out of order
            base = said[number % len(said)]
            await limits.rebase(base, world.now)
            world.base = max(world.base, base, key=lambda each: (each.watermark, each.as_of))
        left = standing(await asker.look(world.now), Name.COMPANY_MONTH).remaining
        assert left == max(0, QUOTA - world.used)
        assert world.total(world.now + SECOND) <= QUOTA
    world.now += 30 * SECOND
    await limits.rebase(world.closed(), world.now)
    exact = QUOTA - world.total(world.now)
    assert standing(await asker.look(world.now), Name.COMPANY_MONTH).remaining == exact


async def test_a_total_that_comes_late_changes_nothing(limits, company_id):
    asker = await refusing(limits, company_id)
    older = Base(company_id, "2026-11", 5, cell_of(START), START)
    newer = Base(company_id, "2026-11", 30, cell_of(START) + 10 * SECOND, START + 26 * SECOND)
    for base in (older, newer, older):
        await limits.rebase(base, START + 26 * SECOND)
    shown = standing(await asker.look(START + 26 * SECOND), Name.COMPANY_MONTH)
    assert (shown.ledger_total, shown.remaining) == (30, QUOTA - 30)


async def test_the_last_scan_passes_and_the_next_does_not(limits, company_id):
    asker = await refusing(limits, company_id)
    await limits.rebase(Base(company_id, "2026-11", QUOTA - 1, cell_of(START), START), START)
    assert (await asker.spend(START + SECOND)).granted == 1
    refused = await asker.spend(START + SECOND)
    assert refused.granted == 0
    assert standing(refused, Name.COMPANY_MONTH).refused


async def test_nothing_is_decided_without_a_base_and_nothing_refused_by_an_old_one(limits, company_id):
    asker = await refusing(limits, company_id)
    assert await asker.ask(START) == BaseNeeded(stale=False)
    await limits.rebase(Base(company_id, "2026-11", QUOTA, cell_of(START), START), START)
    assert await asker.ask(START + 6 * SECOND) == BaseNeeded(stale=True)
    assert (await asker.spend(START + 4 * SECOND)).granted == 0


async def test_an_old_base_is_good_enough_to_grant_by(limits, company_id):
    asker = await refusing(limits, company_id)
    await limits.rebase(Base(company_id, "2026-11", 10, cell_of(START), START), START)
    assert (await asker.spend(START + timedelta(hours=3), 30)).granted == 30


async def test_a_watermark_passes_and_what_duplicates_took_comes_back(limits, company_id):
    asker = await refusing(limits, company_id)
    await limits.rebase(Base(company_id, "2026-11", 0, cell_of(START), START), START)
    for _ in range(4):
        await asker.spend(START + SECOND, 10)  # the same ten scans, again and again
    assert (await asker.spend(START + 2 * SECOND)).granted == 0
    later = START + 26 * SECOND
    await limits.rebase(Base(company_id, "2026-11", 10, cell_of(START + 10 * SECOND), later), later)
    assert (await asker.spend(later, QUOTA - 10)).granted == QUOTA - 10


async def test_no_accept_time_is_at_or_before_the_watermark(limits, company_id):
    asker = await refusing(limits, company_id)
    watermark = cell_of(START) + 10 * SECOND
    await limits.rebase(Base(company_id, "2026-11", 0, watermark, START), START)
    assert await asker.ask(watermark) == LaterNeeded(watermark)
    assert (await asker.spend(watermark + timedelta(microseconds=1))).granted == 1


async def test_an_ended_subscription_refuses_whatever_an_override_says(limits, company_id):
    ended = defaults({Name.COMPANY_MONTH: 0}, Enforcement.END)
    asker = await Asker(limits, company_id, ended).begin(START, whole_company(month=1_000))
    assert (await asker.spend(START, 5, partial=True)).granted == 0


@pytest.mark.parametrize(("overrides", "granted"), [({}, 5), ({"month": 3}, 0)])
async def test_a_plan_that_bills_counts_and_refuses_by_an_override_only(
    limits, company_id, overrides, granted
):
    billed = defaults({Name.COMPANY_MONTH: 2}, Enforcement.COUNT)
    asker = await Asker(limits, company_id, billed).begin(START, whole_company(**overrides))
    await limits.rebase(Base(company_id, "2026-11", 0, cell_of(START), START), START)
    assert (await asker.spend(START + SECOND, 5)).granted == granted
    shown = standing(await asker.look(START + SECOND), Name.COMPANY_MONTH)
    assert shown.remaining == max(0, (3 if overrides else 2) - granted)


async def test_each_month_has_a_quota_of_its_own(limits, company_id):
    asker = await refusing(limits, company_id)
    end = datetime(2026, 12, 1, tzinfo=UTC)
    november = Base(company_id, "2026-11", QUOTA, end - 20 * SECOND, end)
    await limits.rebase(november, end)
    assert (await asker.spend(end - timedelta(microseconds=1))).granted == 0
    await limits.rebase(november.for_period("2026-12"), end)
    assert (await asker.spend(end)).granted == 1


async def test_a_refund_goes_back_to_the_cell_unless_the_ledger_holds_it(limits, company_id):
    asker = await refusing(limits, company_id)
    await limits.rebase(Base(company_id, "2026-11", 0, cell_of(START), START), START)
    await asker.spend(START + SECOND, 15, spend_id="s-1")
    await asker.spend(START + SECOND, 20, spend_id="s-2")
    await limits.refund(company_id, "s-1", 5)
    assert standing(await asker.look(START + SECOND), Name.COMPANY_MONTH).remaining == QUOTA - 30
    later = START + 26 * SECOND
    await limits.rebase(Base(company_id, "2026-11", 10, cell_of(START + 10 * SECOND), later), later)
    await limits.refund(company_id, "s-2", 20)
    assert standing(await asker.look(later), Name.COMPANY_MONTH).remaining == QUOTA - 10


async def test_after_a_loss_the_quota_is_open_until_the_watermark_has_passed_it(limits, company_id, forget):
    asker = await refusing(limits, company_id)
    await limits.rebase(Base(company_id, "2026-11", 0, cell_of(START), START), START)
    await asker.spend(START + SECOND, QUOTA)
    forget()
    lost = START + 2 * SECOND
    await asker.begin(START)
    assert await asker.ask(lost) == BaseNeeded(stale=False)
    await limits.rebase(Base(company_id, "2026-11", 0, cell_of(START), lost), lost)
    open_ = await asker.spend(lost)
    assert (open_.granted, open_.certainty) == (1, Certainty.CELLS_UNKNOWN)
    later = START + 26 * SECOND
    await limits.rebase(Base(company_id, "2026-11", QUOTA, cell_of(START + 10 * SECOND), later), later)
    closed = await asker.spend(later)
    assert (closed.granted, closed.certainty) == (0, Certainty.EXACT)
