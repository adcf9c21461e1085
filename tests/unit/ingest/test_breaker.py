from __future__ import annotations

from datetime import timedelta

from services.ingest.breaker import Breaker
from tests.fakes.monotonic import Monotonic


def test_what_works_is_always_asked() -> None:
    breaker = Breaker(monotonic=Monotonic())
    for _ in range(3):
        assert breaker.lets_ask()
        breaker.worked()


def test_after_a_failure_nobody_asks_for_the_pause_and_then_one_does() -> None:
    time = Monotonic()
    breaker = Breaker(timedelta(seconds=1), time)
    breaker.failed()
    assert not breaker.lets_ask()
    time.now += 0.999
    assert not breaker.lets_ask()
    time.now += 0.001
    assert [breaker.lets_ask() for _ in range(3)] == [True, False, False]


def test_one_that_never_says_how_it_ended_is_followed_by_another_a_pause_later() -> None:
    time = Monotonic()
    breaker = Breaker(timedelta(seconds=1), time)
    breaker.failed()
    time.now += 1
    assert breaker.lets_ask()
    time.now += 1
    assert breaker.lets_ask()


def test_when_the_one_succeeds_everybody_asks_again() -> None:
    time = Monotonic()
    breaker = Breaker(timedelta(seconds=1), time)
    breaker.failed()
    time.now += 1
    assert breaker.lets_ask()
    breaker.worked()
    assert [breaker.lets_ask() for _ in range(3)] == [True, True, True]
