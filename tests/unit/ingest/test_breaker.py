from __future__ import annotations

from datetime import timedelta

import pytest

from services.ingest.breaker import Breaker
from tests.fakes.monotonic import Monotonic


@pytest.fixture
def time() -> Monotonic:
    return Monotonic()


@pytest.fixture
def paused(time: Monotonic) -> Breaker:
    """One that has just seen enough failures."""
    breaker = Breaker(timedelta(seconds=1), time)
    for _ in range(3):
        assert breaker.lets_ask()
        breaker.failed()
    return breaker


def test_what_works_is_always_asked() -> None:
    breaker = Breaker(monotonic=Monotonic())
    for _ in range(3):
        assert breaker.lets_ask()
        breaker.worked()


def test_failures_among_answers_pause_nothing() -> None:
    breaker = Breaker(monotonic=Monotonic())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        assert breaker.lets_ask()
        breaker.worked()


def test_after_three_failures_nobody_asks_for_the_pause_and_then_one_does(
    paused: Breaker, time: Monotonic
) -> None:
    assert not paused.lets_ask()
    time.now += 0.999
    assert not paused.lets_ask()
    time.now += 0.001
    assert [paused.lets_ask() for _ in range(3)] == [True, False, False]


def test_one_that_never_says_how_it_ended_is_followed_by_another_a_pause_later(
    paused: Breaker, time: Monotonic
) -> None:
    for _ in range(2):
        time.now += 1
        assert [paused.lets_ask(), paused.lets_ask()] == [True, False]


def test_when_the_one_fails_the_pause_begins_anew(paused: Breaker, time: Monotonic) -> None:
    time.now += 1
    assert paused.lets_ask()
    time.now += 0.5
    paused.failed()
    time.now += 0.999
    assert not paused.lets_ask()


def test_when_the_one_succeeds_everybody_asks_again(paused: Breaker, time: Monotonic) -> None:
    time.now += 1
    assert paused.lets_ask()
    paused.worked()
    assert [paused.lets_ask() for _ in range(3)] == [True, True, True]
    paused.failed()
    assert paused.lets_ask()
