"""Buckets refill continuously, are charged together or not at all, and once for each spend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ratelimit.decision import OverridesNeeded
from services.ratelimit.limits import Name
from tests.fakes.limits import Asker, defaults, standing, whole_company

START = datetime(2026, 11, 12, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)


@dataclass
class Gcra:
    """One bucket as the textbook has it: exact, by the theoretical arrival time."""

    limit: int
    span: int = 60_000_000
    arrival: Fraction = field(default_factory=Fraction)

    def available(self, now: int) -> int:
        interval = Fraction(self.span, self.limit)
        return (now + self.span - max(self.arrival, Fraction(now))) // interval

    def take(self, now: int, count: int) -> None:
        self.arrival = max(self.arrival, Fraction(now)) + count * Fraction(self.span, self.limit)

    def delay(self, now: int, count: int) -> int:
        """Microseconds until `count` are available, at most a span."""
        if count > self.limit:
            return self.span
        full = max(self.arrival, Fraction(now)) + count * Fraction(self.span, self.limit)
        return max(0, -((now + self.span - full) // 1))


STEPS = st.lists(
    st.tuples(st.integers(0, 40_000_000), st.integers(1, 30), st.booleans()), min_size=1, max_size=12
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(scanner=st.integers(1, 40), company=st.integers(1, 40), steps=STEPS)
async def test_buckets_are_gcra(limits, new_company, scanner, company, steps):
    by_name = {Name.SCANNER_MINUTE: scanner, Name.COMPANY_MINUTE: company}
    asker = await Asker(limits, new_company(), defaults(by_name)).begin(START)
    oracle = {name: Gcra(limit) for name, limit in by_name.items()}
    now = 0
    for passed, cost, partial in steps:
        now += passed
        available = {name: bucket.available(now) for name, bucket in oracle.items()}
        least = min(cost, *available.values())
        expected = least if partial or least == cost else 0
        decision = await asker.spend(START + now * MICROSECOND, cost, partial=partial)
        assert decision.granted == expected
        for name, bucket in oracle.items():
            bucket.take(now, expected)
            shown = standing(decision, name)
            assert shown.remaining == available[name] - expected
            assert shown.refused == (available[name] < cost)
            if shown.refused:
                assert abs(shown.wait // MICROSECOND - bucket.delay(now, cost - expected)) <= 1


async def test_what_is_refused_fits_after_its_delay_and_not_before(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 7})).begin(START)
    await asker.spend(START, 7)
    refused = await asker.spend(START, 3)
    delay = standing(refused, Name.SCANNER_MINUTE).wait
    assert (await asker.spend(START + delay - MICROSECOND, 3)).granted == 0
    assert (await asker.spend(START + delay, 3)).granted == 3


async def test_a_refusal_by_one_bucket_charges_no_other(limits, company_id):
    by_name = {Name.SCANNER_MINUTE: 2, Name.COMPANY_MINUTE: 10}
    asker = await Asker(limits, company_id, defaults(by_name)).begin(START)
    refused = await asker.spend(START, 3)
    assert refused.granted == 0
    assert standing(refused, Name.COMPANY_MINUTE).remaining == 10
    assert not standing(refused, Name.COMPANY_MINUTE).refused


async def test_a_limit_of_zero_refuses_everything(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 0})).begin(START)
    refused = await asker.spend(START, 5, partial=True)
    assert refused.granted == 0
    assert standing(refused, Name.SCANNER_MINUTE).wait == MINUTE
    assert standing(await asker.look(START), Name.SCANNER_MINUTE).wait == timedelta()


async def test_a_clock_behind_another_replicas_refills_nothing_twice(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 60})).begin(START)
    ahead = START + timedelta(seconds=10)
    await asker.spend(START, 60)
    assert (await asker.spend(ahead, 5)).granted == 5
    assert (await asker.spend(START, 3)).granted == 3
    assert (await asker.spend(ahead, 60, partial=True)).granted == 2


async def test_a_clock_a_little_behind_another_replicas_waits_for_it(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 60})).begin(START)
    await asker.spend(START + timedelta(seconds=10), 60)
    delay = standing(await asker.spend(START), Name.SCANNER_MINUTE).wait
    assert delay == timedelta(seconds=11)
    assert (await asker.spend(START + delay - MICROSECOND)).granted == 0
    assert (await asker.spend(START + delay)).granted == 1


async def test_a_clock_that_was_an_hour_ahead_freezes_no_bucket(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 60})).begin(START)
    await asker.spend(START + timedelta(hours=1), 60)
    assert standing(await asker.look(START), Name.SCANNER_MINUTE).wait == MINUTE
    for passed in (0, 7, 59):
        refused = await asker.spend(START + timedelta(seconds=passed), 60)
        assert refused.granted == 0
        assert standing(refused, Name.SCANNER_MINUTE).wait == timedelta(seconds=60 - passed)
    assert (await asker.spend(START + MINUTE, 60)).granted == 60


async def test_an_accept_time_ahead_of_the_clock_is_none_of_the_buckets_business(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 60})).begin(START)
    ahead = START + timedelta(hours=1)
    await asker.spend(START, 60, accept_time=ahead)
    refused = await asker.spend(START, accept_time=ahead)
    assert (refused.granted, refused.accept_time) == (0, ahead)
    assert standing(refused, Name.SCANNER_MINUTE).wait == timedelta(seconds=1)
    assert (await asker.spend(START + timedelta(seconds=1), accept_time=ahead)).granted == 1


async def test_a_raised_limit_counts_at_once_and_what_was_spent_stays_spent(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.COMPANY_MINUTE: 10})).begin(START)
    await asker.spend(START, 10)
    await asker.override(whole_company(minute=100), START, revision=1)
    assert standing(await asker.look(START), Name.COMPANY_MINUTE).remaining == 90
    await asker.override(whole_company(minute=5), START, revision=2)
    assert (await asker.spend(START)).granted == 0
    assert (await asker.spend(START + MINUTE, 5)).granted == 5


async def test_a_large_limit_over_a_long_span_stays_exact(limits, company_id):
    day = whole_company(day=100_000)
    asker = await Asker(limits, company_id, defaults({})).begin(START, day)
    for _ in range(100):
        assert (await asker.spend(START, 1_000)).granted == 1_000
    assert (await asker.spend(START)).granted == 0
    assert (await asker.spend(START + timedelta(days=1) / 100_000)).granted == 1


async def test_the_same_spend_is_charged_once(limits, company_id):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 10})).begin(START)
    first = await asker.spend(START, 4, spend_id="s-1")
    again = await asker.spend(START + timedelta(seconds=3), 4, spend_id="s-1")
    assert again == first
    assert standing(await asker.look(START), Name.SCANNER_MINUTE).remaining == 6


async def test_the_first_refund_counts_and_gives_back_at_most_what_was_granted(limits, company_id):
    by_name = {Name.SCANNER_MINUTE: 10, Name.COMPANY_MINUTE: 10}
    asker = await Asker(limits, company_id, defaults(by_name)).begin(START)
    await asker.spend(START, 3)
    await asker.spend(START, 4, spend_id="s-1")
    assert await limits.refund(company_id, "s-1", 99) == 4
    assert await limits.refund(company_id, "s-1", 1) == 0
    assert await limits.refund(company_id, "unknown", 1) == 0
    shown = await asker.look(START)
    assert [each.remaining for each in shown.standings] == [7, 7]


async def test_two_replicas_that_race_grant_the_limit_and_no_more(limits, other_replica, company_id):
    by_name = {Name.SCANNER_MINUTE: 500, Name.COMPANY_MINUTE: 150}
    one = await Asker(limits, company_id, defaults(by_name)).begin(START)
    other = Asker(other_replica, company_id, defaults(by_name))
    spends = (
        replica.spend(START, 1 + index % 5, partial=True) for index in range(40) for replica in (one, other)
    )
    decisions = await asyncio.gather(*spends)
    assert sum(decision.granted for decision in decisions) == 150


async def test_overrides_are_asked_for_and_older_ones_replace_no_newer(limits, company_id):
    asker = Asker(limits, company_id, defaults({Name.COMPANY_MINUTE: 10}))
    assert await asker.ask(START) == OverridesNeeded()
    await asker.override(whole_company(minute=20), START, revision=7)
    await asker.override(whole_company(minute=30), START, revision=6)
    assert standing(await asker.look(START), Name.COMPANY_MINUTE).limit == 20


@pytest.mark.parametrize("other", [{"scanner_id": "0192d3b0-7b1e-7cc3-9a55-000000000002"}, {"company_id": 1}])
async def test_a_scanners_bucket_is_its_own(limits, company_id, other):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 1})).begin(START)
    await asker.spend(START)
    changed = Asker(**{**vars(asker), **other})
    await changed.begin(START)
    assert (await changed.spend(START)).granted == 1


async def test_functions_that_were_lost_are_told_again(limits, company_id, forget):
    asker = await Asker(limits, company_id, defaults({Name.SCANNER_MINUTE: 1})).begin(START)
    forget()
    assert await asker.ask(START) == OverridesNeeded()
