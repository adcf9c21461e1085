"""The command of a run that lasts: it reads its line, has a mesh of its own measured, and reports."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from benchmarks.mesh import BUILD, own
from deploy.local.mesh import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What every such run says."""

    commit: str
    capacity: float
    """Scans a second that went through all of the pipeline in a short flood."""
    trouble: tuple[str, ...]
    """What should not have happened, differences in the books among it."""


R = TypeVar("R", bound=Report)


def run(
    arguments: Sequence[str],
    name: str,
    seconds: float,
    measure: Callable[[Mesh, float], Coroutine[Any, Any, R]],
    lines: Callable[[R], Iterator[str]],
) -> int:
    """Measure and report; answer the exit code.

    Args:
        arguments: of the command line.
        name: of the run; its report is `build/<name>.json`.
        seconds: how long it lasts unless the line says else.
        measure: does it.
        lines: renders what it found for a terminal.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.endurance.{name}")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"how long ({seconds:.0f})")
    parser.add_argument("--report", type=Path, default=BUILD / f"{name}.json", help="the file it writes")
    asked = parser.parse_args(arguments)
    with own() as mesh:
        found = uvloop.run(measure(mesh, asked.seconds))
    asked.report.write_text(json.dumps(asdict(found), indent=1) + "\n")
    print(*lines(found), *found.trouble, f"report: {asked.report}", sep="\n")
    return 1 if found.trouble else 0
