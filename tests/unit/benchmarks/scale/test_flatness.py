"""Flat is within a fifth of every base cell; base cells that do not agree say nothing."""

from __future__ import annotations

import pytest

from benchmarks.scale.flatness import FLAT, HIGHER, LOWER, UNSURE, ratio, spread, verdict


@pytest.mark.parametrize(
    ("cost", "bases", "said"),
    [
        (1.0, [1.0, 1.0], FLAT),
        (1.19, [1.0, 1.0], FLAT),
        (0.81, [1.0, 1.0], FLAT),
        (1.21, [1.0, 1.0], HIGHER),
        (0.79, [1.0, 1.0], LOWER),
        (1.25, [1.0, 1.1], UNSURE),
        (0.85, [1.0, 1.1], UNSURE),
        (2.0, [0.5], HIGHER),
    ],
)
def test_a_cost_is_compared_with_every_base_cell(cost: float, bases: list[float], said: str) -> None:
    assert verdict(cost, bases) == said


def test_the_ratio_is_to_the_average_of_the_base_cells() -> None:
    assert ratio(3.0, [1.0, 2.0]) == pytest.approx(2.0)


def test_the_spread_is_how_far_the_base_cells_are_apart() -> None:
    assert spread([0.9, 1.1, 1.0]) == pytest.approx(0.2)
    assert spread([2.0]) == 0
