"""Processes by pid and start time, so that a recycled pid is never taken for the old process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.02
_STATE, _PARENT, _THREADS, _STARTED = 0, 1, 17, 19
"""Where /proc/<pid>/stat has them, counted from the third field on."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process of this machine, also after its pid has gone to another one."""

    pid: int
    started: int
    """When it was started, in clock ticks since `boot`."""
    boot: str
    """Which boot of the machine that was."""

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Look a living process up.

        Raises:
            ProcessLookupError: there is none.
        """
        return cls(pid, _start_time(pid), _boot())

    def alive(self) -> bool:
        """Tell whether any thread of it still runs; none of a zombie does, whose memory and ports are free."""
        try:
            return self.boot == _boot() and self.started == _start_time(self.pid)
        except ProcessLookupError:
            return False

    def send(self, signum: signal.Signals) -> None:
        """Send a signal, if it is still this process that would get it."""
        if self.alive():
            try:
                os.kill(self.pid, signum)
            except ProcessLookupError:  # it ended between the two calls, which is what signals here are for
                return


def with_children(processes: Iterable[ProcessId]) -> list[ProcessId]:
    """Answer those of the processes that are alive, and what they have started: PostgreSQL is many processes."""
    alive = [process for process in processes if process.alive()]
    parents = {process.pid for process in alive}
    return [*alive, *(other for other in _all_processes() if _parent(other.pid) in parents)]


def end(processes: Iterable[ProcessId], *, grace_seconds: float) -> None:
    """Wait for processes to end by themselves, kill what is left after the grace, and return when all are gone."""
    left = wait_until_gone(processes, seconds=grace_seconds)
    for process in left:
        process.send(signal.SIGKILL)
    stubborn = wait_until_gone(left, seconds=2.0)
    if stubborn:
        raise TimeoutError(f"killed, but still there: {[process.pid for process in stubborn]}")


def wait_until_gone(processes: Iterable[ProcessId], *, seconds: float) -> list[ProcessId]:
    """Wait until all have ended, at most for `seconds`; answer those that have not."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if process.alive()]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [process for process in left if process.alive()]
    return left


def _all_processes() -> Iterator[ProcessId]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                yield ProcessId.of(int(entry.name))


def _start_time(pid: int) -> int:
    return int(_fields(pid)[_STARTED])


def _parent(pid: int) -> int | None:
    try:
        return int(_fields(pid)[_PARENT])
    except ProcessLookupError:
        return None


def _fields(pid: int) -> list[str]:
    """Answer the fields of /proc/<pid>/stat (proc(5)) from the third on; the name before them may hold anything.

    Raises:
        ProcessLookupError: there is no such process, or only what its parent has not yet noticed.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(pid) from error
    if fields[_STATE] in "ZX" and int(fields[_THREADS]) <= 1:  # else only its first thread has ended yet
        raise ProcessLookupError(pid)
    return fields


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
