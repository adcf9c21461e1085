"""A mesh whose home lies on a disk of its own, which a test may fill: stores, logs and the supervisor's books.

It lives in a process of its own, told what to do line by line: whoever mounts a disk leaves the machine's mounts behind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.disk import Disk, NoDisk
from deploy.local.mesh import Mesh
from deploy.local.settings import ROOT


class DiskMesh:
    """One, seen from the test; every method returns when its effect is there."""

    def __init__(self, host: subprocess.Popen[str]) -> None:
        self._host = host
        self._said = self._listen()

    @property
    def absent(self) -> str | None:
        """Why this machine does not let us have one."""
        return self._said.get("absent")

    def describe(self) -> dict[str, Any]:
        """Answer mesh.json."""
        return self._ask("describe")

    def hold(self, part: str) -> None:
        """Stop a part and keep it down."""
        self._ask("hold", part)

    def release(self, part: str) -> None:
        """Let a part come back."""
        self._ask("release", part)

    def fill(self, left: int) -> None:
        """Leave so many bytes of room."""
        self._ask("fill", left)

    def clear(self) -> None:
        """Give the room back."""
        self._ask("clear")

    def _ask(self, *words: str | int) -> dict[str, Any]:
        assert self._host.stdin is not None
        self._host.stdin.write(json.dumps(words) + "\n")
        self._host.stdin.flush()
        return self._listen()

    def _listen(self) -> dict[str, Any]:
        assert self._host.stdout is not None
        line = self._host.stdout.readline()
        assert line, "the mesh has ended; what it said stands on the standard error"
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def running(folder: Path) -> Iterator[DiskMesh]:
    """Start one, its disk in `folder`; it ends with the body, or with this process."""
    command = [sys.executable, "-m", "tests.system.on_disk", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:  # leaving closes its input, which ends it, and waits
        yield DiskMesh(host)


def _host(folder: Path) -> None:
    disk = Disk()
    try:
        with disk.mounted(folder / "disk"), Mesh(folder / "disk" / "home") as mesh:
            _say(mesh.describe())
            for line in sys.stdin:
                match json.loads(line):
                    case ["hold", part]:
                        mesh.hold(part)
                    case ["release", part]:
                        mesh.release(part)
                    case ["fill", left]:
                        disk.fill(left)
                    case ["clear"]:
                        disk.clear()
                _say(mesh.describe())
    except NoDisk as error:
        _say({"absent": str(error)})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _host(Path(sys.argv[1]))
