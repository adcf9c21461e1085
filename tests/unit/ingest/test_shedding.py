"""Which lanes are sent away when too much comes, and when they come again."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from services.chassis.subjects import Lane
from services.ingest.shedding import Overloaded, Shedder, allows

RATE = 100


class Clock:
    """Stands for the loop's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


def admitted(shedder: Shedder, lane: Lane, count: int) -> int:
    through = 0
    for _ in range(count):
        try:
            shedder.admit(lane)
        except Overloaded:
            continue
        through += 1
    return through


async def test_bulk_is_sent_away_first_and_premium_last(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shedder = Shedder(RATE)
    assert admitted(shedder, Lane.BULK, 2 * RATE) == 50
    assert admitted(shedder, Lane.STANDARD, 2 * RATE) == 30
    assert admitted(shedder, Lane.PREMIUM, 2 * RATE) == 20
    assert admitted(shedder, Lane.BULK, 1) == 0


@pytest.mark.parametrize("lane", list(Lane))
async def test_any_lane_alone_gets_the_whole_rate(monkeypatch: pytest.MonkeyPatch, lane: Lane) -> None:
    clock, shedder, through = Clock(monkeypatch), Shedder(RATE), 0
    for _ in range(1_000):
        clock.now += 0.01
        through += admitted(shedder, lane, 5)
    assert through == pytest.approx(10 * RATE, rel=0.11)  # and what the bucket holds at the beginning


async def test_premium_is_served_whole_while_bulk_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shedder, through = Clock(monkeypatch), Shedder(RATE), Counter[Lane]()
    for tick in range(1_000):
        clock.now += 0.01
        through[Lane.BULK] += admitted(shedder, Lane.BULK, 10)
        if tick % 2:
            through[Lane.PREMIUM] += admitted(shedder, Lane.PREMIUM, 1)
    assert through[Lane.PREMIUM] == 500
    assert through[Lane.BULK] == pytest.approx(550, abs=10)


async def test_those_who_are_sent_away_together_do_not_come_back_together() -> None:
    delays = {Overloaded(timedelta(seconds=10)).retry_delay for _ in range(100)}
    assert len(delays) > 90
    assert all(delay is not None and 10 <= delay.total_seconds() <= 20 for delay in delays)


def test_a_lane_stops_at_its_share() -> None:
    assert [lane for lane in Lane if allows(lane, 0.9)] == [Lane.PREMIUM]
    assert not any(allows(lane, 1.0) for lane in Lane)
