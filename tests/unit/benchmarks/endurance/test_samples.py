"""What counts as growing, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from benchmarks.endurance.samples import Sample, growing, slope

MB = 1_000_000


def samples(
    *, memory: float = 0.0, messages: float = 0.0, tables: float = 0.0, warm_up: int = 0
) -> list[Sample]:
    """Forty looks, a minute apart; what grows does so by so many MB, or messages, from each to the next."""
    return [
        Sample(
            at=60.0 * number,
            memory={"auth": round((70 + memory * number) * MB) + (warm_up if number > 5 else 0)},
            counts={"SCANS": round(3 + messages * number)},
            tables={"auth.keys": round((1 + tables * number) * MB), "ingest.scan_ids": 10 * MB * number},
        )
        for number in range(40)
    ]


def test_what_stays_as_it_is_does_not_grow_nor_what_grows_while_warming_up() -> None:
    assert growing(samples()) == []
    assert growing(samples(warm_up=30 * MB)) == []


def envoy(*large: int) -> list[Sample]:
    """Forty looks of which some, by number, see it with 83 MB, the others with 57."""
    return [
        replace(sample, memory={"envoy": (83 if number in large else 57) * MB})
        for number, sample in enumerate(samples())
    ]


def test_what_an_allocator_takes_and_gives_back_does_not_grow_however_often_it_has_it() -> None:
    assert growing(envoy(12, 14, 17, 31, 33, 35, 36, 37, 38)) == []


def having(memory: Iterable[float]) -> list[Sample]:
    """Forty looks that see NATS with so many MB."""
    return [
        replace(each, memory={"nats": round(height * MB)})
        for each, height in zip(samples(), memory, strict=True)
    ]


def test_a_heap_that_is_collected_now_and_then_does_not_grow_by_when_that_is() -> None:
    second, last = [4 * (number % 7) for number in range(30)], [6 * (number % 9) for number in range(10)]
    heights = [100 + height for height in second + last]
    assert growing(having(heights)) == []
    [found] = growing(having(height + number for number, height in enumerate(heights)))
    assert found.startswith("memory of nats grows: ")


def test_what_is_no_longer_given_back_does_not_grow_by_that() -> None:
    assert growing(having([*[100] * 14, *[130] * 26])) == []


def test_one_odd_look_is_no_growth_and_hides_none() -> None:
    assert growing(envoy(35)) == []
    [found] = growing(envoy(12, *range(30, 40)))
    assert found.startswith("memory of envoy grows")


@pytest.mark.parametrize(
    ("grown", "named"),
    [
        ({"memory": 0.5}, "memory of auth grows"),
        ({"messages": 4.0}, "counts of SCANS grows"),
        ({"tables": 0.5}, "tables of auth.keys grows"),
    ],
)
def test_what_grows_is_named(grown: dict[str, float], named: str) -> None:
    [found] = growing(samples(**grown))
    assert found.startswith(named)


def test_of_three_looks_nothing_is_told() -> None:
    [found] = growing(samples()[:3])
    assert "too early" in found


def test_the_slope_is_told_by_the_hour() -> None:
    assert slope(samples(memory=0.5), "memory", "auth") == pytest.approx(30 * MB, rel=1e-6)
    assert slope(samples(), "memory", "auth") == 0.0
