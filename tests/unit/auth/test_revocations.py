from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.credentials import COMPANY
from services.auth.revocations import KEPT, MAX_SILENCE, Revocations

MILLISECOND = timedelta(milliseconds=1)


class Stopwatch:
    """Shows the seconds it was moved on by; nobody sets it back."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def stopwatch():
    return Stopwatch()


@pytest.fixture
def revocations(stopwatch):
    return Revocations(stopwatch)


@pytest.mark.parametrize(("subject", "revision"), [(COMPANY, 10), ("scanner-1", 20), ("key-1", 30)])
def test_a_change_outdates_the_records_that_lack_it(revocations, credential, clock, subject, revision):
    revocations.apply(7, [subject], revision, clock())
    assert not revocations.outdated(credential)
    revocations.apply(7, [subject], revision + 1, clock())
    assert revocations.outdated(credential)


def test_a_newer_row_does_not_hide_an_older_one(revocations, credential, clock):
    """A company's change may outnumber a key's revocation and be read before that is committed."""
    record = replace(credential, company_revision=101, revision=30)
    revocations.apply(7, ["key-1"], 100, clock())
    assert revocations.outdated(record)


def test_old_news_take_nothing_back(revocations, credential, clock):
    revocations.apply(7, ["key-1"], 31, clock())
    revocations.apply(7, ["key-1"], 5, clock())
    assert revocations.outdated(credential)


def test_news_of_others_change_nothing(revocations, credential, clock):
    revocations.apply(8, [COMPANY, "scanner-1", "key-1"], 99, clock())
    revocations.apply(7, ["scanner-2", "key-2"], 99, clock())
    assert not revocations.outdated(credential)


def test_news_are_kept_longer_than_any_cache_keeps_a_record(revocations, credential, clock):
    revocations.apply(7, ["key-1"], 31, clock())
    clock.advance(KEPT)
    revocations.apply(7, ["key-2"], 1, clock())
    assert revocations.outdated(credential)
    clock.advance(MILLISECOND)
    revocations.apply(7, ["key-3"], 1, clock())
    assert not revocations.outdated(credential)


def test_news_that_come_again_are_kept_anew(revocations, credential, clock):
    revocations.apply(7, ["key-1"], 31, clock())
    clock.advance(KEPT)
    revocations.apply(7, ["key-1"], 31, clock())
    clock.advance(KEPT)
    revocations.apply(7, ["key-2"], 1, clock())
    assert revocations.outdated(credential)


def test_a_feed_is_dead_until_its_first_beat(revocations, clock):
    assert not revocations.alive(clock())


def test_a_feed_is_alive_for_a_second_after_a_beat(revocations, clock):
    revocations.beat(clock(), clock())
    clock.advance(MAX_SILENCE)
    assert revocations.alive(clock())
    clock.advance(MILLISECOND)
    assert not revocations.alive(clock())


def test_a_beat_found_while_catching_up_proves_nothing(revocations, clock):
    revocations.beat(clock() - 2 * MAX_SILENCE, clock())
    assert not revocations.alive(clock())


def test_a_sender_whose_clock_is_fast_proves_no_more_than_others(revocations, clock):
    revocations.beat(clock() + timedelta(hours=1), clock())
    assert revocations.alive(clock())
    clock.advance(MAX_SILENCE + MILLISECOND)
    assert not revocations.alive(clock())


def test_an_older_beat_takes_nothing_back(revocations, clock):
    revocations.beat(clock(), clock())
    revocations.beat(clock() - timedelta(hours=1), clock())
    assert revocations.alive(clock())


def test_a_clock_that_is_set_back_keeps_no_dead_feed_alive(revocations, clock, stopwatch):
    revocations.beat(clock(), clock())
    clock.advance(-timedelta(hours=1))
    stopwatch.seconds += 2
    for _ in range(60):
        assert not revocations.alive(clock())
        clock.advance(timedelta(minutes=1))
    assert not revocations.alive(clock())


def test_a_feed_lives_on_when_the_clock_is_set_back_and_dies_as_ever(revocations, clock, stopwatch):
    revocations.beat(clock(), clock())
    clock.advance(-timedelta(hours=1))
    stopwatch.seconds += 0.25
    revocations.beat(clock(), clock())
    assert revocations.alive(clock())
    clock.advance(MAX_SILENCE + MILLISECOND)
    assert not revocations.alive(clock())


def test_a_machine_that_wakes_up_trusts_nothing(revocations, clock):
    """Its stopwatch has stood still meanwhile."""
    revocations.beat(clock(), clock())
    clock.advance(timedelta(minutes=1))
    assert not revocations.alive(clock())


def test_a_beat_that_was_on_its_way_counts_from_when_it_was_sent(revocations, clock, stopwatch):
    revocations.beat(clock() - timedelta(milliseconds=900), clock())
    assert revocations.alive(clock())
    stopwatch.seconds += 0.2
    assert not revocations.alive(clock())
