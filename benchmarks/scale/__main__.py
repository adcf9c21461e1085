"""`python -m benchmarks.scale [--quick] [--events N] [--report PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.bench import machine
from benchmarks.mesh import BUILD
from benchmarks.scale import report
from benchmarks.scale.cell import KINDS
from benchmarks.scale.extent import FULL, QUICK
from benchmarks.scale.message import SIZE
from benchmarks.scale.run import run


def main(arguments: Sequence[str]) -> int:
    """Measure, and report; a cost that is not flat is no failure, a load that was not taken is."""
    asked = _parser().parse_args(arguments)
    extent = QUICK if asked.quick else FULL
    extent = replace(extent, events=asked.events) if asked.events else extent
    where = machine.describe()
    axes = run(extent)
    written = {
        "machine": where,
        "commit": machine.commit(),
        "quick": asked.quick,
        "extent": asdict(extent),
        "scans_per_second": {name: kind.per_second for name, kind in KINDS.items()},
        "axes": [axis.as_json() for axis in axes],
    }
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    asked.report.write_text(json.dumps(written, indent=1) + "\n")
    print("", *report.table(axes), f"report: {asked.report}", sep="\n")
    return int(any(axis.troubles for axis in axes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="short loads and small values")
    parser.add_argument("--events", type=_scans, help="the most scans on record")
    parser.add_argument("--report", type=Path, default=BUILD / "scale.json", help="where scale.json goes")
    return parser


def _scans(text: str) -> int:
    if not text.isdecimal() or int(text) < SIZE:
        raise argparse.ArgumentTypeError(f"must be a number of scans, at least {SIZE}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
