"""A row of the report: what was measured in each run, held against its budget."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_REACHED = "not reached"
"""The load that the row is about was offered, and not taken."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a row is about, and what the design wants of it."""

    id: str
    unit: str
    at_least: float | None
    """The worst that is good enough: a floor where higher is better, else a ceiling. None: there is no bound."""
    aim: float | None = None
    better: str = "lower"

    def met(self, value: float | None) -> bool | None:
        """Tell whether a value is good enough; None when nothing is asked of it."""
        if self.at_least is None:
            return None
        if value is None:
            return False
        return value >= self.at_least if self.better == "higher" else value <= self.at_least


BUDGETS: tuple[Budget, ...] = (
    Budget("http_single_rate", "scans/s", 1_000, 1_500, "higher"),
    Budget("http_single_p99_ms", "ms", 50),
    Budget("grpc_batch_rate", "scans/s", 20_000, 40_000, "higher"),
    Budget("pipeline_rate", "scans/s", 11_574, 25_000, "higher"),  # a billion a day
    Budget("enriched_p99_ms", "ms", 1_000, 250),
    Budget("spend_p99_ms", "ms", 5),
    Budget("identity_memory_p99_ms", "ms", 1),
    Budget("identity_valkey_p99_ms", "ms", 5),
    Budget("revocation_p99_ms", "ms", 1_000, 250),
    Budget("lane_isolation_ratio", "ratio", 1.5),
    Budget("cold_start_s", "s", 10, 5),
    Budget("idle_pss_mb", "MB", 800, 600),  # megabytes of 10^6 bytes
)
"""Section 7 of the design, in the order in which the report shows it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run has measured for one row."""

    value: float | None
    reason: str = ""
    """Why there is no value."""
    note: str = ""
    """How it was measured: what was offered, how many samples."""
    failed: bool = False
    """Whether it could not be measured at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """The readings of all runs."""

    budget: Budget
    readings: Sequence[Reading]

    @property
    def value(self) -> float | None:
        """The median of the runs; none if one of them has none."""
        values = self._values()
        return None if len(values) < len(self.readings) else statistics.median(values)

    @property
    def spread(self) -> float | None:
        """The best and the worst run's distance, in the row's unit; none if fewer than two have a value."""
        values = self._values()
        return None if len(values) < 2 else max(values) - min(values)

    @property
    def verdict(self) -> str:
        """Say in a word how it stands."""
        return {None: "", True: "ok", False: "short"}[self.budget.met(self.value)]

    def as_json(self) -> Mapping[str, Any]:
        """Write it for bench.json."""
        reasons = dict.fromkeys(reading.reason for reading in self.readings if reading.reason)
        return {
            "id": self.budget.id,
            "value": _rounded(self.value),
            "unit": self.budget.unit,
            "at_least": self.budget.at_least,
            "aim": self.budget.aim,
            "better": self.budget.better,
            "runs": [_rounded(reading.value) for reading in self.readings],
            "spread": _rounded(self.spread),
            "pass": self.budget.met(self.value),
            "notes": [reading.note for reading in self.readings],
            **({"reason": "; ".join(reasons)} if self.value is None else {}),
        }

    def _values(self) -> list[float]:
        return [reading.value for reading in self.readings if reading.value is not None]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
