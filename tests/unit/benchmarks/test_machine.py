"""What befalls the whole machine follows from the seed, and leaves it time to come back."""

from __future__ import annotations

import itertools

from benchmarks.chaos.machine import cuts, fillings


def test_the_power_fails_twice_in_a_minute_and_about_every_25_s_in_more() -> None:
    for seed in range(200):
        minute = cuts(seed, 60.0)
        assert len(minute) == 2
        assert 5.0 <= minute[0] <= 20.0
        assert minute[1] <= 50.0
        moments = cuts(seed, 300.0)
        assert len(moments) in {11, 12}
        assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= 10.0
        assert moments == cuts(seed, 300.0)
    assert len({cuts(seed, 60.0) for seed in range(200)}) == 200
    assert cuts(1, 5.0) == ()


def test_the_disk_is_full_once_in_a_minute_and_about_every_50_s_in_more() -> None:
    for seed in range(200):
        [minute] = fillings(seed, 60.0)
        assert 5.0 <= minute.at <= 35.0
        assert 2.0 <= minute.seconds <= 5.0
        more = fillings(seed, 300.0)
        assert more[0] == minute
        assert len(more) in {5, 6}
        assert all(later.at - earlier.end >= 10.0 for earlier, later in itertools.pairwise(more))
        assert [each.whole for each in more] == [number % 2 != more[0].whole for number in range(len(more))]
    assert len({fillings(seed, 60.0)[0].at for seed in range(200)}) == 200
    assert {fillings(seed, 60.0)[0].whole for seed in range(200)} == {True, False}
    assert fillings(1, 15.0) == ()
