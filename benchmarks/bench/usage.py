"""What the processes of a mesh take of the machine, read from /proc (proc(5))."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.mesh import Description
from deploy.local.process import ProcessId, with_children

GENERATOR = "generator"
_GONE = (FileNotFoundError, ProcessLookupError)
_TICKS = os.sysconf("SC_CLK_TCK")


def trees(description: Description) -> Mapping[str, list[int]]:
    """Answer the process ids by name, children included: PostgreSQL is many processes."""
    return {
        # The supervisor has started all the others.
        name: pids if name == "supervisor" else [each.pid for each in with_children(map(ProcessId.of, pids))]
        for name, pids in description["processes"].items()
    }


def cpu_seconds(description: Description) -> Mapping[str, float]:
    """Answer the CPU time of each process since it was started, and of this one."""
    return {**mesh_cpu_seconds(description), GENERATOR: time.process_time()}


def mesh_cpu_seconds(description: Description) -> Mapping[str, float]:
    """Answer the CPU time of each process of the mesh since it was started."""
    return {name: sum(map(_cpu_seconds, pids)) for name, pids in trees(description).items()}


def written_bytes(description: Description, names: Iterable[str]) -> Mapping[str, int]:
    """Answer how many bytes processes have caused to be written to disk since they were started."""
    every = trees(description)
    return {name: sum(map(_written_bytes, every[name])) for name in names}


def pss_bytes(description: Description) -> Mapping[str, int]:
    """Answer the proportional set size of each process: memory that is shared counts once for all who share it."""
    return {name: sum(map(_pss_bytes, pids)) for name, pids in trees(description).items()}


def _cpu_seconds(pid: int) -> float:
    with suppress(*_GONE):  # a child that has just ended counts as its parent's from now on
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _written_bytes(pid: int) -> int:
    return _field(Path(f"/proc/{pid}/io"), "write_bytes:")


def _pss_bytes(pid: int) -> int:
    return 1024 * _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _field(path: Path, name: str) -> int:
    with suppress(*_GONE):
        [line] = [line for line in path.read_text().splitlines() if line.startswith(name)]
        return int(line.split()[1])
    return 0
