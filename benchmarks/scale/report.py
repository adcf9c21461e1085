"""What was measured, as a table for people.

A row says what a scan costs: CPU of all processes, what of it an idle mesh takes, how many times the base that is;
bytes of the write-ahead log and of the database's growth; and how many credentials auth had from its memory, from
Valkey and from PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from benchmarks.scale.axis import Axis, Point
from benchmarks.scale.cell import KINDS
from benchmarks.scale.flatness import FLAT, spread

_LINE = "{:<32} {:<7} {:>8} {:>6} {:>6} {:<9} {:>7} {:>8} {}"
_HEAD = ("load", "CPU ms", "idle", "ratio", "", "WAL B", "stored B", "identity")
_TIERS = ("memory", "shared", "database")


def table(axes: Sequence[Axis]) -> Iterator[str]:
    """Write the axes down for people."""
    for axis in axes:
        yield _LINE.format(axis.name, *_HEAD)
        for load in KINDS:
            yield _base(axis, load)
        yield from map(_line, axis.points())
        yield ""
    away = sum(point.verdict != FLAT for axis in axes for point in axis.points())
    if away:
        rows = "1 row is" if away == 1 else f"{away} rows are"
        yield f"{rows} not flat: docs/performance.md says which reasons are known"


def _base(axis: Axis, load: str) -> str:
    costs = axis.base_costs(load)
    apart = f"{spread(costs):.0%} apart" if len(costs) > 1 else ""
    name = f"  base: {axis.bases[0].value}"
    mean = f"{fmean(costs):.3f}" if costs else ""
    return _LINE.format(name, load, mean, "", "", apart, "", "", "").rstrip()


def _line(point: Point) -> str:
    cost, ratio = point.cost, point.ratio
    if cost is None:
        return _LINE.format(f"  {point.value}", point.load, "", "", "", point.verdict, "", "", point.trouble)
    return _LINE.format(
        f"  {point.value}",
        point.load,
        f"{cost.cpu_ms:.3f}",
        f"{cost.idle_ms:.3f}",
        "" if ratio is None else f"{ratio:.2f}",
        point.verdict,
        f"{cost.wal_bytes:.0f}",
        f"{cost.stored_bytes:.0f}",
        "/".join(str(cost.lookups[tier]) for tier in _TIERS),
    )
