"""What was measured, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.scale.axis import Axis, Point
from benchmarks.scale.cell import KINDS
from benchmarks.scale.flatness import FLAT, spread

_LINE = "  {:<30} {:<7} {:>8} {:>6} {:<9} {:>7} {:>8} {}"
_TIERS = ("memory", "shared", "database")


def table(axes: Sequence[Axis]) -> Iterator[str]:
    """Write the axes down for people."""
    for axis in axes:
        spreads = ", ".join(_spread(axis, load) for load in KINDS)
        yield f"{axis.name}; base cells apart by: {spreads}"
        yield _LINE.format("", "load", "CPU ms", "ratio", "", "WAL B", "stored B", "identity").rstrip()
        yield from map(_line, axis.points())
        yield ""
    away = sum(point.verdict != FLAT for axis in axes for point in axis.points())
    if away:
        yield f"{away} rows are not flat: docs/performance.md, Scaling, gives the reasons that are known"


def _spread(axis: Axis, load: str) -> str:
    costs = axis.base_costs(load)
    return f"{load} {spread(costs):.0%}" if len(costs) > 1 else f"{load} not known"


def _line(point: Point) -> str:
    cost, ratio = point.cost, point.ratio
    if cost is None:
        return _LINE.format(point.value, point.load, "", "", point.verdict, "", "", point.trouble)
    tiers = "/".join(str(cost.lookups[tier]) for tier in _TIERS)
    return _LINE.format(
        point.value,
        point.load,
        f"{cost.cpu_ms:.3f}",
        "" if ratio is None else f"{ratio:.2f}",
        point.verdict,
        f"{cost.wal_bytes:.0f}",
        f"{cost.stored_bytes:.0f}",
        tiers,
    )
