from __future__ import annotations

import pytest

from benchmarks.bench.attempt import SHARES, Attempt, highest, profiles, reading
from benchmarks.bench.offer import Offered
from benchmarks.bench.profile import Profile


class Mesh:
    """Takes so many scans a second for a moment, and fewer for long."""

    def __init__(self, moment: float, long: float) -> None:
        self.takes = {1.0: moment, 20.0: long}
        self.asked: list[tuple[float, float]] = []

    async def offered(self, rate: float, seconds: float) -> Attempt:
        self.asked.append((rate, seconds))
        taken = round(min(rate, self.takes[seconds]) * seconds)
        return Attempt(Offered(rate, seconds, accepted=taken, in_time=taken), Profile())


async def test_a_share_that_is_reached_for_a_moment_is_offered_for_the_whole_time():
    mesh = Mesh(moment=860, long=860)
    tried = await highest(1_000, 1.0, 20.0, mesh.offered)
    assert mesh.asked == [(950, 1.0), (900, 1.0), (850, 1.0), (850, 20.0)]
    assert reading(1_000, tried, {}).value == 850


async def test_a_share_that_is_reached_for_a_moment_only_is_not_the_value():
    mesh = Mesh(moment=2_000, long=760)
    tried = await highest(1_000, 1.0, 20.0, mesh.offered)
    assert mesh.asked == [(rate, seconds) for rate in (950, 900, 850, 800, 750) for seconds in (1.0, 20.0)]
    assert reading(1_000, tried, {}).value == 750


@pytest.mark.parametrize("long", [100, 630])
async def test_a_row_that_reaches_no_share_for_the_whole_time_has_no_value(long):
    mesh = Mesh(moment=2_000, long=long)
    tried = await highest(1_000, 1.0, 20.0, mesh.offered)
    assert [rate for rate, seconds in mesh.asked if seconds == 20.0] == [share * 1_000 for share in SHARES]
    assert reading(1_000, tried, {}).value is None


async def test_a_mesh_that_takes_nothing_says_why_and_costs_nothing():
    tried = await highest(1_000, 1.0, 20.0, Mesh(moment=0, long=0).offered)
    said = reading(1_000, tried, {"RATE_LIMITED": 7, "OVERLOADED": 9})
    assert said.value is None
    assert said.note.endswith("9 scans: OVERLOADED; 7 scans: RATE_LIMITED")
    assert profiles("grpc_batch_rate", tried) == {}
