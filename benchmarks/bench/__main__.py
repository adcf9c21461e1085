"""`python -m benchmarks.bench [--quick] [--rows ID,ID] [--report PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import machine, report
from benchmarks.bench.row import BUDGETS
from benchmarks.bench.run import run
from benchmarks.bench.stage import FULL, QUICK
from benchmarks.mesh import BUILD

_RUNS = 3


def main(arguments: Sequence[str]) -> int:
    """Measure, and report; a row that is short of its budget is no failure, one that cannot be measured is."""
    asked = _parser().parse_args(arguments)
    where = machine.describe()
    runs = [run(asked.rows, QUICK if asked.quick else FULL) for _ in range(1 if asked.quick else _RUNS)]
    measured = report.rows(runs, asked.rows)
    written = report.as_json(measured, runs, machine=where, commit=machine.commit(), quick=asked.quick)
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    asked.report.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    print()
    for line in (*report.conditions(runs[0]), "", *report.costs(runs[0]), "", *report.table(measured)):
        print(line)
    print(f"report: {asked.report}")
    return int(any(reading.failed for row in measured for reading in row.readings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run instead of three")
    parser.add_argument(
        "--rows", type=_ids, default=[budget.id for budget in BUDGETS], help="ids, separated by commas"
    )
    parser.add_argument("--report", type=Path, default=BUILD / "bench.json", help="where bench.json goes")
    return parser


def _ids(text: str) -> list[str]:
    known = [budget.id for budget in BUDGETS]
    unknown = sorted(set(text.split(",")).difference(known))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [each for each in known if each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
