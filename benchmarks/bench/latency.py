"""Percentiles by nearest rank: always a value that was seen, never one in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

_MILLISECONDS = 1_000.0


def percentile(samples: Sequence[float], percent: float) -> float:
    """Answer the smallest sample that is not exceeded by `percent` of all.

    Raises:
        ValueError: there are no samples, or `percent` is not above 0 and at most 100.
    """
    if not samples:
        raise ValueError("no samples, no percentile")
    if not 0 < percent <= 100:
        raise ValueError(f"there is no percentile {percent}")
    return sorted(samples)[math.ceil(len(samples) * percent / 100) - 1]


def p99_ms(seconds: Sequence[float]) -> float:
    """Answer the 99th percentile of spans in seconds, in milliseconds."""
    return percentile(seconds, 99) * _MILLISECONDS
