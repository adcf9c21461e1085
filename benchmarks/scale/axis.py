"""An axis: its cells, and the base cells that were measured before and after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.scale.cell import KINDS, Cell
from benchmarks.scale.cost import Cost
from benchmarks.scale.flatness import ratio, spread, verdict

NO_BASE = "no base"
NOT_TAKEN = "not taken"


@dataclass(frozen=True, slots=True)
class Point:
    """One load in one cell, beside the base cells."""

    value: str
    load: str
    cost: Cost | None
    bases: Sequence[float]
    """CPU ms of those that took the load."""
    trouble: str
    """Why there is no cost."""

    @property
    def ratio(self) -> float | None:
        """How many times what the base cells cost; None if one of the two is not known."""
        return ratio(self.cost.cpu_ms, self.bases) if self.cost and self.bases else None

    @property
    def verdict(self) -> str:
        """Say in a word how it stands to them."""
        if self.cost is None:
            return NOT_TAKEN
        return verdict(self.cost.cpu_ms, self.bases) if self.bases else NO_BASE

    def as_json(self) -> Mapping[str, Any]:
        """Write it for scale.json."""
        return {
            "value": self.value,
            "load": self.load,
            "ratio": self.ratio,
            "verdict": self.verdict,
            "cost": asdict(self.cost) if self.cost else None,
            "trouble": self.trouble,
        }


@dataclass(frozen=True, slots=True)
class Axis:
    """What was measured along it."""

    name: str
    bases: Sequence[Cell]
    cells: Sequence[Cell]

    def base_costs(self, load: str) -> Sequence[float]:
        """Answer what a scan has cost in the base cells, in ms of CPU."""
        return [base.costs[load].cpu_ms for base in self.bases if load in base.costs]

    @property
    def troubles(self) -> list[str]:
        """Why loads were not taken."""
        return [trouble for cell in (*self.bases, *self.cells) for trouble in cell.troubles.values()]

    def points(self) -> Iterator[Point]:
        """Answer how the cells stand to the base cells."""
        for cell in self.cells:
            for load in KINDS:
                trouble = cell.troubles.get(load, "")
                yield Point(cell.value, load, cell.costs.get(load), self.base_costs(load), trouble)

    def as_json(self) -> Mapping[str, Any]:
        """Write it for scale.json."""
        costs = {load: self.base_costs(load) for load in KINDS}
        return {
            "axis": self.name,
            "bases": [asdict(base) for base in self.bases],
            "base_spread": {load: spread(known) for load, known in costs.items() if known},
            "points": [point.as_json() for point in self.points()],
        }
