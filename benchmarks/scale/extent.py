"""How far each axis goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The values of the axes; each has 1, or nothing, as its base."""

    seconds: float
    """How long each load is offered."""
    companies: tuple[int, ...]
    scanners: tuple[int, ...]
    shares: tuple[float, ...]
    """Of the most scans on record: where it is measured on the way there."""
    events: int
    """The most scans on record."""


FULL = Extent(
    seconds=15,
    companies=(10, 100, 1_000),
    scanners=(100, 10_000, 100_000),
    shares=(0.05, 0.25, 1),
    events=20_000_000,
)
QUICK = Extent(seconds=3, companies=(100,), scanners=(1_000,), shares=(1,), events=200_000)
