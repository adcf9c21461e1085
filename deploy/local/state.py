"""The supervisor's book on disk: which parts there are, how they are, and which processes are theirs.

It is what `down` goes by when the supervisor itself was killed, and what `hold` and `release` wait on.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from deploy.local.home import Home, write_private
from deploy.local.process import ProcessId


class AlreadyRunning(Exception):
    """Another supervisor has this home."""


@dataclass(frozen=True, slots=True)
class PartState:
    """One part, as `unit.State` has it."""

    name: str
    process_name: str
    state: str
    restarts: int
    process: ProcessId | None


@dataclass(frozen=True, slots=True)
class MeshState:
    """A mesh."""

    parts: tuple[PartState, ...] = field(default=())

    def named(self, name: str) -> tuple[PartState, ...]:
        """Answer the part of that name, or all replicas of the process of that name."""
        return tuple(part for part in self.parts if name in {part.name, part.process_name})

    @property
    def processes(self) -> list[ProcessId]:
        """Answer every process that was started, whether it still runs or not."""
        return [part.process for part in self.parts if part.process is not None]


def write(home: Home, state: MeshState) -> None:
    """Put the book on disk."""
    write_private(home.state_file, json.dumps(asdict(state)))


def read(home: Home) -> MeshState:
    """Answer what the book says; an empty mesh if there is none."""
    try:
        values = json.loads(home.state_file.read_text())
    except FileNotFoundError:
        return MeshState()
    return MeshState(tuple(_part(part) for part in values["parts"]))


def _part(values: dict[str, Any]) -> PartState:
    process = values.pop("process")
    return PartState(**values, process=ProcessId(**process) if process else None)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Have the home to oneself; the lock goes when the process does, whatever ends it.

    Raises:
        AlreadyRunning: another supervisor has it.
    """
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning from error
        file.truncate()
        json.dump(asdict(ProcessId.of(os.getpid())), file)
        file.flush()
        yield


def supervisor(home: Home) -> ProcessId | None:
    """Answer the supervisor that has this home now, if one has."""
    try:
        text = home.lock_file.read_text()
    except FileNotFoundError:
        return None
    process = ProcessId(**json.loads(text)) if text else None
    return process if process is not None and process.alive() else None
