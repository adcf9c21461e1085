from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.billing.watermark import Candidate, Candidates, candidate_time

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def candidate(seconds, sequence, epoch="e"):
    return Candidate(NOON + timedelta(seconds=seconds), sequence, epoch)


def test_an_empty_queue_lets_it_come_within_fifteen_seconds_of_now():
    assert candidate_time(NOON + timedelta(seconds=15), None) == NOON
    assert candidate_time(NOON + timedelta(seconds=24.9), None) == NOON
    assert candidate_time(NOON + timedelta(seconds=14.9), None) == NOON - timedelta(seconds=10)


def test_the_oldest_scan_holds_it_back():
    assert candidate_time(NOON, timedelta(minutes=5)) == NOON - timedelta(minutes=5, seconds=20)


def test_the_age_of_a_clock_that_was_set_back_tells_nothing():
    assert candidate_time(NOON, timedelta(hours=-1)) is None
    assert candidate_time(NOON, timedelta(microseconds=-1)) is None
    assert candidate_time(NOON, timedelta()) == candidate_time(NOON, None)


def test_a_time_waits_until_usage_has_left_its_sequence_behind():
    candidates = Candidates()
    candidates.add(candidate(0, 7))
    assert candidates.confirmed(7, "e") is None
    assert candidates.confirmed(8, "e") == NOON
    assert candidates.confirmed(9, "e") is None


def test_the_latest_of_several_is_taken_and_the_others_are_forgotten():
    candidates = Candidates()
    for seconds, sequence in ((0, 5), (10, 6), (20, 9)):
        candidates.add(candidate(seconds, sequence))
    assert candidates.confirmed(8, "e") == NOON + timedelta(seconds=10)
    assert candidates.confirmed(10, "e") == NOON + timedelta(seconds=20)


def test_a_second_look_at_the_same_cell_waits_for_no_more_than_the_first():
    candidates = Candidates()
    candidates.add(candidate(0, 5))
    candidates.add(candidate(0, 9))
    candidates.add(candidate(-10, 3))
    assert candidates.confirmed(6, "e") == NOON


def test_a_sequence_of_another_stream_confirms_nothing():
    candidates = Candidates()
    candidates.add(candidate(0, 5, "old"))
    assert candidates.confirmed(1_000, "new") is None
    candidates.add(candidate(0, 0, "new"))
    assert candidates.confirmed(1, "new") == NOON
