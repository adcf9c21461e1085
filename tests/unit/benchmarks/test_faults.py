"""The plan of a chaos run follows from its seed, meets everything, and never thins out."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.chaos.faults import Act, plan

PROCESSES = ("envoy", "ingest", "nats", "postgres", "valkey")


@pytest.mark.parametrize("seed", range(20))
def test_same_seed_gives_the_same_plan(seed: int) -> None:
    assert plan(seed, 60.0, PROCESSES) == plan(seed, 60.0, PROCESSES[::-1])
    assert plan(seed, 60.0, PROCESSES) != plan(seed + 1, 60.0, PROCESSES)


def test_longer_run_begins_like_the_shorter_one() -> None:
    short = plan(1, 60.0, PROCESSES)
    assert plan(1, 300.0, PROCESSES)[: len(short)] == short


def test_faults_are_one_in_five_seconds_or_more_and_in_time() -> None:
    for seed in range(500):
        times = [fault.at for fault in plan(seed, 60.0, PROCESSES)]
        assert len(times) >= 12
        assert times == sorted(times)
        assert times[0] > 0.0
        assert times[-1] < 60.0


def test_gaps_have_the_mean_that_is_asked_for() -> None:
    counts = [len(plan(seed, 300.0, PROCESSES)) for seed in range(50)]
    assert 95 <= sum(counts) / len(counts) <= 110
    often = [len(plan(seed, 300.0, PROCESSES, mean_gap_seconds=1.5)) for seed in range(50)]
    assert 190 <= sum(often) / len(often) <= 210


@pytest.mark.parametrize("seed", range(20))
def test_every_act_meets_every_process_before_any_comes_again(seed: int) -> None:
    met = [(fault.process, fault.act) for fault in plan(seed, 300.0, PROCESSES)]
    every = len(PROCESSES) * len(Act)
    assert set(met[:every]) == set(itertools.product(PROCESSES, Act))
    assert set(met[every : 2 * every]) == set(met[:every])


def test_stops_are_of_every_length_and_only_stops_have_one() -> None:
    faults = [fault for seed in range(20) for fault in plan(seed, 300.0, PROCESSES)]
    stops = [fault.seconds for fault in faults if fault.act is Act.STOP]
    assert all(0.1 <= seconds <= 10.0 for seconds in stops)
    assert min(stops) < 0.2
    assert max(stops) > 9.0
    assert 0.4 < sum(seconds < 1.0 for seconds in stops) / len(stops) < 0.6
    assert not any(fault.seconds for fault in faults if fault.act is not Act.STOP)


def test_targets_and_acts_are_kept_to() -> None:
    faults = plan(1, 300.0, ["nats"], acts=[Act.STOP])
    assert {(fault.process, fault.act) for fault in faults} == {("nats", Act.STOP)}


def test_without_targets_nothing_happens() -> None:
    assert plan(1, 300.0, []) == ()
