"""Why there is no mesh; the messages are for the person who wanted one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MeshError(Exception):
    """The mesh could not do what was asked."""


class CannotStart(MeshError):
    """Something on this machine is in the way: a port, a folder, a missing file."""


class StartFailed(MeshError):
    """A part did not come up while the mesh was starting."""

    def __init__(self, part: str, why: str, *, log: Path, lines: Sequence[str]) -> None:
        """Name the part, the reason, its log and the last lines of it."""
        shown = "".join(f"  | {line}\n" for line in lines)
        super().__init__(f"{part} did not start: {why}\n{shown}log: {log}")
