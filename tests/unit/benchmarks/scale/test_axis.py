"""Cells beside their base cells, and loads that were not taken."""

from __future__ import annotations

from benchmarks.scale.axis import NO_BASE, NOT_TAKEN, Axis
from benchmarks.scale.cell import Cell
from benchmarks.scale.cost import Cost
from benchmarks.scale.flatness import FLAT, HIGHER
from benchmarks.scale.report import table


def cell(value: str, **cpu_ms: float) -> Cell:
    """A cell whose loads were taken where a cost is given."""
    costs = {load: cost(each) for load, each in cpu_ms.items()}
    troubles = {load: "outgrew the mesh" for load in ("single", "batch") if load not in costs}
    return Cell(value, costs, troubles)


def cost(cpu_ms: float) -> Cost:
    return Cost(
        scans=100,
        p99_ms=10.0,
        cpu_ms=cpu_ms,
        idle_ms=0.5,
        cpu_ms_by_process={"auth": cpu_ms},
        wal_bytes=1_000.0,
        stored_bytes=700.0,
        written_bytes={"postgres": 2_000.0},
        lookups={"memory": 90, "shared": 8, "database": 2},
    )


def test_each_load_is_held_against_the_same_load_of_the_base_cells():
    bases = [cell("1", single=4.0, batch=0.2), cell("1", single=4.2, batch=0.2)]
    axis = Axis("companies", bases, [cell("10", single=4.1, batch=0.3)])
    single, batch = axis.points()
    assert (single.load, single.ratio, single.verdict) == ("single", 1.0, FLAT)
    assert (batch.load, batch.verdict) == ("batch", HIGHER)
    assert axis.troubles == []


def test_a_load_that_was_not_taken_has_no_cost_and_is_told():
    axis = Axis("companies", [cell("1", single=4.0)], [cell("10", batch=0.3)])
    single, batch = axis.points()
    assert (single.verdict, single.ratio) == (NOT_TAKEN, None)
    assert (batch.verdict, batch.ratio) == (NO_BASE, None)
    assert axis.troubles == ["outgrew the mesh"] * 2  # one of them in a base cell


def test_the_table_shows_the_noise_and_counts_what_is_not_flat():
    bases = [cell("1", single=4.0, batch=0.2), cell("1", single=5.0, batch=0.2)]
    lines = list(table([Axis("companies", bases, [cell("10", single=9.0, batch=0.2)])]))
    assert "22% apart" in lines[1]
    assert "HIGHER" in lines[3]
    assert lines[3].endswith("90/8/2")
    assert lines[-1].startswith("1 row")
