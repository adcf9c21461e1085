from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.local_buckets import COMPANY_LIMIT, SCANNER_LIMIT, LocalBuckets
from tests.fakes import identities

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
OTHER = "0190163d-8694-739b-aea5-966c26f8ad92"


def granted(buckets: LocalBuckets, cost: int, now: datetime = NOW, **who: object) -> int:
    return buckets.spend(identities.scanner(**who), cost, now)[0]


@pytest.mark.parametrize(
    ("scanner_type", "limit"),
    [
        ("handheld", 50),
        ("vehicle", 50),
        ("agent", 100),
        ("dock", 200),
        ("fixed", 500),
        ("", 100),
        ("later", 100),
    ],
)
def test_an_unheard_scanner_has_the_limit_of_its_type(scanner_type: str, limit: int) -> None:
    assert granted(LocalBuckets(), 1_000, scanner_type=scanner_type) == limit


def test_scanners_of_a_company_share_its_limit_and_companies_share_nothing() -> None:
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {COMPANY_LIMIT: 120})
    assert granted(buckets, 100) == 100
    assert granted(buckets, 100, subject=OTHER) == 20
    assert granted(buckets, 100, company_id=8) == 100


def test_what_was_heard_counts_before_the_defaults_and_names_of_others_do_not() -> None:
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: 7, "company.month": 1})
    assert granted(buckets, 1_000) == 7
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: 9})
    assert granted(buckets, 1_000) == 2


def test_a_limit_of_nothing_grants_nothing() -> None:
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: 0})
    count, (refusing,) = buckets.spend(identities.SCANNER, 1, NOW)
    assert (count, refusing.limit, refusing.retry_delay) == (0, SCANNER_LIMIT, MINUTE)


def test_a_bucket_that_refuses_charges_the_other_for_what_was_granted_only() -> None:
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: 10, COMPANY_LIMIT: 25})
    assert [granted(buckets, 100, subject=subject) for subject in "abcd"] == [25, 0, 0, 0]
    buckets = LocalBuckets()
    for subject in "abc":
        buckets.learn(identities.scanner(subject=subject), {SCANNER_LIMIT: 10, COMPANY_LIMIT: 25})
    assert [granted(buckets, 100, subject=subject) for subject in "abc"] == [10, 10, 5]


@given(limit=st.integers(1, 10**6), cost=st.integers(1, 1_000))
def test_what_was_refused_fits_after_its_delay_and_not_before(limit: int, cost: int) -> None:
    def spent() -> LocalBuckets:
        buckets = LocalBuckets()
        buckets.learn(identities.SCANNER, {SCANNER_LIMIT: limit, COMPANY_LIMIT: 10**9})
        assert granted(buckets, limit) == limit
        return buckets

    count, (refusing,) = spent().spend(identities.SCANNER, cost, NOW)
    assert (count, refusing.limit) == (0, SCANNER_LIMIT)
    assert refusing.retry_delay == min(MINUTE, -(-cost * 60_000_000 // limit) * TICK)
    assert granted(spent(), cost, NOW + refusing.retry_delay) == min(cost, limit)
    assert granted(spent(), cost, NOW + refusing.retry_delay - TICK) < min(cost, limit)


@given(
    limit=st.integers(1, 300),
    steps=st.lists(st.tuples(st.integers(0, 40_000_000), st.integers(1, 400)), max_size=40),
)
def test_a_bucket_grants_what_an_exact_one_does(limit: int, steps: list[tuple[int, int]]) -> None:
    """The oracle refills tokens in fractions; the bucket under test counts whole numbers only."""
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: limit, COMPANY_LIMIT: 10**9})
    tokens, now = Fraction(limit), NOW
    for passed, cost in steps:
        now += passed * TICK
        tokens = min(Fraction(limit), tokens + Fraction(passed * limit, 60_000_000))
        expected = min(cost, int(tokens))
        tokens -= expected
        assert granted(buckets, cost, now) == expected


@pytest.mark.parametrize("limit", [1, 7, 50, 97, 999])
def test_one_by_one_as_many_are_granted_as_at_once(limit: int) -> None:
    buckets = LocalBuckets()
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: limit})
    assert [granted(buckets, 1) for _ in range(limit + 1)] == [1] * limit + [0]


@given(st.integers(1, 100), st.lists(st.integers(0, 5_000), min_size=1, max_size=200))
def test_no_minute_sees_more_than_twice_the_limit(limit: int, gaps: list[int]) -> None:
    buckets, now = LocalBuckets(), NOW
    buckets.learn(identities.SCANNER, {SCANNER_LIMIT: limit})
    window: deque[datetime] = deque()
    for gap in gaps:
        now += timedelta(milliseconds=gap)
        window.extend([now] * granted(buckets, 3, now))
        while window and window[0] <= now - MINUTE:
            window.popleft()
        assert len(window) <= 2 * limit


def test_a_clock_that_was_set_back_does_not_stop_the_refill() -> None:
    buckets = LocalBuckets()
    assert granted(buckets, 1_000) == 100
    back = NOW - timedelta(hours=1)
    assert granted(buckets, 1, back) == 0
    assert granted(buckets, 1_000, back + MINUTE) == 100


def test_buckets_are_bounded_and_the_ones_in_use_stay() -> None:
    buckets = LocalBuckets(most=4)
    assert granted(buckets, 1_000) == 100
    for number in range(50):
        granted(buckets, 1, subject=str(number))
        assert granted(buckets, 1_000) == 0
    assert granted(buckets, 1_000, subject="0") == 100  # long forgotten, so full again
