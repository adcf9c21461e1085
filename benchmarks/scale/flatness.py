"""Whether a cost stays the same: within 20 % of that of every base cell.

The base cells are the same cell at different times, so how far they are apart is what the machine's noise does. Where
they do not agree on the verdict, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

WITHIN = 0.2
FLAT = "flat"
HIGHER = "HIGHER"
LOWER = "LOWER"
UNSURE = "unsure"
"""One base cell says this, another one that."""


def ratio(cost: float, bases: Sequence[float]) -> float:
    """Answer how many times what the base cells cost on average."""
    return cost / fmean(bases)


def spread(bases: Sequence[float]) -> float:
    """Answer how far the base cells are apart, as a share of their average."""
    return (max(bases) - min(bases)) / fmean(bases)


def verdict(cost: float, bases: Sequence[float]) -> str:
    """Say in a word how a cost stands to those of the base cells."""
    verdicts = {_verdict(cost / base) for base in bases}
    return verdicts.pop() if len(verdicts) == 1 else UNSURE


def _verdict(ratio: float) -> str:
    if abs(ratio - 1) <= WITHIN:
        return FLAT
    return HIGHER if ratio > 1 else LOWER
