"""What was measured, as bench.json and as tables for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.bench.row import BUDGETS, NOT_REACHED, Row
from benchmarks.bench.run import Run

_LINE = "{:<24} {:>11} {:>9} {:>11} {:>11} {:<8} {}"


def rows(runs: Sequence[Run], wanted: Collection[str]) -> list[Row]:
    """Answer the rows that were wanted, each with its readings of all runs."""
    return [
        Row(budget, [run.readings[budget.id] for run in runs]) for budget in BUDGETS if budget.id in wanted
    ]


def as_json(
    measured: Sequence[Row], runs: Sequence[Run], *, machine: Mapping[str, Any], commit: str, quick: bool
) -> Mapping[str, Any]:
    """Write bench.json."""
    return {
        "machine": {**machine, "versions": {name: part["version"] for name, part in runs[0].parts.items()}},
        "commit": commit,
        "quick": quick,
        "settings": {
            **{name: part["settings"] for name, part in runs[0].parts.items()},
            "limits": runs[0].limits,
        },
        "rows": [row.as_json() for row in measured],
        "profile": [run.profiles for run in runs],
    }


def table(measured: Sequence[Row]) -> Iterator[str]:
    """Write the rows down for people."""
    yield _LINE.format("row", "value", "spread", "at least", "aim", "unit", "")
    for row in measured:
        budget = row.budget
        bound = "≥" if budget.better == "higher" else "≤"
        failed = any(reading.failed for reading in row.readings)
        absent = "failed" if failed else NOT_REACHED
        value = absent if row.value is None else _number(row.value)
        aim = "" if budget.aim is None else _number(budget.aim)
        least = "" if budget.at_least is None else f"{bound} {_number(budget.at_least)}"
        spread = "" if row.spread is None else _number(row.spread)
        yield _LINE.format(budget.id, value, spread, least, aim, budget.unit, row.verdict).rstrip()


def costs(run: Run) -> Iterator[str]:
    """Write down for people what a scan costs."""
    for row, profile in run.profiles.items():
        yield f"{row}: by scan, of {profile['scans']}"
        cpu = sorted(profile["cpu_ms_per_scan"].items(), key=lambda each: -each[1])
        yield "  CPU ms: " + ", ".join(f"{name} {spent:.4g}" for name, spent in cpu if spent)
        streams = profile["bus_per_scan"].items()
        yield "  bus bytes: " + ", ".join(f"{name} {_bytes(each['bytes'])}" for name, each in streams)
        disk = profile["disk_bytes_per_scan"].items()
        yield "  disk bytes: " + ", ".join(f"{name} {size}" for name, size in disk)


def conditions(run: Run) -> Iterator[str]:
    """Write down for people under which settings and limits it was measured."""
    for name, part in run.parts.items():
        shown = (f"{key}={value}" for key, value in part["settings"].items() if key != "streams")
        yield f"{name} {part['version']}: {', '.join(shown)}"
    for name, stream in run.parts["nats"]["settings"]["streams"].items():
        yield f"  {name}: {', '.join(f'{key}={value}' for key, value in stream.items())}"
    for purpose, limits in run.limits.items():
        yield f"limits of {purpose}: {', '.join(f'{name}={value}' for name, value in limits.items())}"


def _bytes(size: float | None) -> str:
    return "not seen" if size is None else f"{size:.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
