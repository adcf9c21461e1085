"""What a fault is charged with: from its beginning to the first acceptance with the process back."""

from __future__ import annotations

import pytest

from benchmarks.chaos.outages import Outage, outage

STEADY = [each / 10 for each in range(100)]
"""An acceptance every 0.1 s, for ten seconds."""


def test_fault_that_nobody_notices_costs_the_time_to_be_back() -> None:
    measured = outage(2.05, 3.05, STEADY, [])
    assert measured.errors == 0
    assert measured.outage_s == pytest.approx(0.1)
    assert measured.recovered_s == pytest.approx(1.05)


def test_outage_is_the_longest_stretch_and_counts_from_the_fault() -> None:
    with_gap = [each for each in STEADY if not 2.0 < each < 4.5]
    measured = outage(2.05, 2.5, with_gap, [2.3, 2.4, 4.0])
    assert measured.outage_s == pytest.approx(2.45)
    assert measured.recovered_s == pytest.approx(2.45)
    assert measured.errors == 3


def test_outage_before_the_process_is_back_counts() -> None:
    with_gap = [each for each in STEADY if not 3.0 < each < 5.0]
    measured = outage(2.05, 8.05, with_gap, [])
    assert measured.outage_s == pytest.approx(2.0)
    assert measured.recovered_s == pytest.approx(6.05)


def test_errors_of_other_times_are_not_charged() -> None:
    assert outage(2.05, 3.05, STEADY, [1.0, 2.0, 2.05, 3.1, 3.11, 9.0]).errors == 2


def test_outage_after_recovery_is_not_charged() -> None:
    with_gap = [each for each in STEADY if not 4.0 < each < 9.0]
    assert outage(2.05, 3.05, with_gap, []).outage_s == pytest.approx(0.1)


@pytest.mark.parametrize("back", [None, 9.95])
def test_run_that_ends_first_leaves_the_fault_open(back: float | None) -> None:
    assert outage(8.0, back, STEADY, [7.0, 8.5, 9.97]) == Outage(2, None, None)


def test_nothing_was_ever_accepted() -> None:
    assert outage(1.0, 2.0, [], [1.5]) == Outage(1, None, None)
