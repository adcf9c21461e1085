"""`make chaos`: one run on a mesh of its own. 0: the books agree; 1: differences; 2: there was no run."""

from __future__ import annotations

import asyncio
import shutil
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext

from benchmarks.chaos import options, report, run
from benchmarks.chaos.options import Options
from benchmarks.disk import Disk, NoDisk, require
from benchmarks.mesh import own
from benchmarks.plants.site import planted
from benchmarks.tenants import ApiError
from deploy.local.failures import MeshError


def main(arguments: Sequence[str]) -> int:
    """Run and report; answer the exit code."""
    asked = options.read(arguments)
    mutant = f", mutant {asked.mutant.name}" if asked.mutant else ""
    print(f"seed {asked.seed}, {asked.seconds:g} s{mutant}", flush=True)
    found = None
    _forget_the_last(asked)
    try:
        found = _run(asked)
    except* (MeshError, ApiError) as errors:
        print(*(f"no run: {error}" for error in errors.exceptions), sep="\n", file=sys.stderr)
    except* KeyboardInterrupt:
        print("no run: interrupted", file=sys.stderr)
    except* Exception:  # noqa: BLE001 - a fault of the harness is shown whole, and is no difference
        traceback.print_exc()
    if found is None:
        return 2
    print(*report.lines(found), f"report: {asked.report}", sep="\n")
    return 1 if found.differences else 0


def _forget_the_last(asked: Options) -> None:
    asked.report.unlink(missing_ok=True)
    shutil.rmtree(asked.logs, ignore_errors=True)


def _run(asked: Options) -> report.Report:
    mutant = asked.mutant
    plants = {mutant.part: planted.environment(*mutant.plants)} if mutant else {}
    disk, left_out = _disk(asked)
    with own(replicas=asked.replicas, environment=plants, disk=disk.mounted if disk else nullcontext) as mesh:
        found = asyncio.run(run.run(mesh, asked, disk, left_out))
        report.write(found, asked.report)  # whatever happens when the mesh is stopped
        if found.differences:
            shutil.copytree(mesh.home.logs, asked.logs)
            print(f"logs of the mesh: {asked.logs}")
    return found


def _disk(asked: Options) -> tuple[Disk | None, Sequence[str]]:
    """Answer the disk that loses its power or its room, and what cannot be had."""
    if not asked.machine:
        return None, ()
    try:
        require()
    except NoDisk as error:
        return None, tuple(f"{fault.what}: {error}" for fault in asked.machine)
    return Disk(), ()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
