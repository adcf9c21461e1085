"""Starting, stopping and disturbing a local mesh: what the command line and the tests use.

with Mesh(home) as mesh:
    mesh.hold("postgres")
    requests_go_to = mesh.describe()["edge"]["http"]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local import dropins, log, machine, state
from deploy.local.failures import MeshError
from deploy.local.home import Home
from deploy.local.process import end, with_children
from deploy.local.settings import ROOT, Settings
from deploy.local.site import minimal_environment
from deploy.local.state import PartState
from deploy.local.unit import State

_POLL_SECONDS = 0.02
_EFFECT_SECONDS = 60.0
_STOP_SECONDS = 4.2
_ORPHAN_SECONDS = 1.5


class Mesh:
    """One local mesh, by its home folder; every method returns when its effect is there."""

    def __init__(self, home: Path, port: int = 0, *, edge_limit: int = 0, replicas: int = 1) -> None:
        """Describe a mesh; 0 as port picks a free one."""
        self._settings = Settings(home=home, port=port, edge_limit=edge_limit, replicas=replicas)
        self.home = Home(self._settings.home)
        self._supervisor: subprocess.Popen[bytes] | None = None

    @classmethod
    def of(cls, settings: Settings) -> Mesh:
        """Answer the mesh that these settings describe."""
        return cls(settings.home, settings.port, edge_limit=settings.edge_limit, replicas=settings.replicas)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def up(self, tell: Callable[[str], None] = lambda _: None, *, tied: bool = False) -> bool:
        """Start the mesh; return when a scan would be accepted and mesh.json is complete.

        Args:
            tell: gets a line about each part that has started.
            tied: the mesh ends with the calling process, whatever ends that.

        Returns:
            False when it was running already.

        Raises:
            MeshError: it did not start; says which part, why, and where its log is.
        """
        machine.check()
        self.home.create()
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="utf-8") as messages:
            supervisor = self._start_supervisor(writing, tied=tied)
            try:
                outcome = _last_word(messages, tell)
            except KeyboardInterrupt:
                supervisor.terminate()
                supervisor.wait()
                raise
        if "up" in outcome:
            self._supervisor = supervisor
            return True
        supervisor.wait()
        return self._explain(outcome)

    def down(self) -> bool:
        """Stop the mesh; return, within five seconds, when no process of it is left.

        Returns:
            False when nothing ran.
        """
        supervisor = state.supervisor(self.home)
        if supervisor is not None:
            supervisor.send(signal.SIGTERM)
            end([supervisor], grace_seconds=_STOP_SECONDS)
        # Of a supervisor that was killed: the kernel has asked its children to stop, and some take a moment for it.
        left = with_children(state.read(self.home).processes)
        end(left, grace_seconds=_ORPHAN_SECONDS if supervisor is None else 0.0)
        self.home.mesh_file.unlink(missing_ok=True)
        self.home.state_file.unlink(missing_ok=True)
        self._reap()
        return supervisor is not None or bool(left)

    def hold(self, part: str) -> None:
        """Stop a part, or all replicas of a service, and keep it down.

        Raises:
            MeshError: there is no such part, or no mesh.
        """
        self._require(part)
        (self.home.holds / part).touch()
        self._notify()
        self._wait(lambda: _all(self._named(part), State.HELD), f"{part} to stop")

    def release(self, part: str) -> None:
        """Let a part come back; return when it is ready.

        Raises:
            MeshError: there is no such part or no mesh, or it does not become ready.
        """
        for name in {part, *(each.name for each in self._require(part))}:
            (self.home.holds / name).unlink(missing_ok=True)
        self._notify()
        self._wait(lambda: _all(self._named(part), State.READY), f"{part} to become ready")

    def environment(self, part: str, variables: Mapping[str, str]) -> None:
        """Set extra environment of a part, or of all replicas of a service, from its next start on.

        It replaces what was set before, and may be set before the mesh is started for the first time.
        """
        self.home.create()
        dropins.write(self.home, part, variables)

    def describe(self) -> dict[str, Any]:
        """Answer mesh.json.

        Raises:
            MeshError: the mesh is not up.
        """
        try:
            description: dict[str, Any] = json.loads(self.home.mesh_file.read_text())
        except FileNotFoundError:
            raise MeshError(f"no mesh is up in {self.home.root}") from None
        return description

    def parts(self) -> tuple[PartState, ...]:
        """Answer how each part is; nothing when no mesh runs."""
        return state.read(self.home).parts if state.supervisor(self.home) else ()

    def wait_until_over(self) -> None:
        """Return when the mesh that this object started has ended."""
        self._reap()

    def _start_supervisor(self, report: int, *, tied: bool) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, attached to nothing of the caller's but the pipe `report`."""
        prefix = ["setpriv", "--pdeathsig", "TERM", "--"] if tied else []
        log.trim(self.home.log("supervisor"))
        try:
            with log.appending(self.home.log("supervisor")) as output:
                return subprocess.Popen(
                    [*prefix, sys.executable, "-m", "deploy.local.supervise", str(report)],
                    cwd=ROOT,
                    env={**minimal_environment(), **self._settings.environ()},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[report],
                )
        finally:
            os.close(report)

    def _explain(self, outcome: Mapping[str, Any]) -> bool:
        """Make of the last word of a supervisor that has ended what `up` says."""
        if "running" in outcome:
            self._wait(self._is_up, "the mesh that is already starting here")
            return False
        if "failed" in outcome:
            raise MeshError(outcome["failed"])
        path = self.home.log("supervisor")
        raise MeshError("\n".join(["the supervisor ended:", *log.tail(path), f"log: {path}"]))

    def _reap(self) -> None:
        """Wait for a supervisor of ours to end."""
        if self._supervisor is not None:
            self._supervisor.wait()
            self._supervisor = None

    def _is_up(self) -> bool:
        supervisor = state.supervisor(self.home)
        if supervisor is None:
            raise MeshError(f"the mesh that was starting here has ended; log: {self.home.log('supervisor')}")
        if not self.home.mesh_file.exists():
            return False
        return bool(self.describe()["processes"]["supervisor"] == [supervisor.pid])

    def _require(self, name: str) -> tuple[PartState, ...]:
        parts = [part for part in self.parts() if part.state != State.DONE]  # a step cannot be held
        if not any(name in {part.name, part.process_name} for part in parts):
            known = sorted(part.name for part in parts)
            raise MeshError(
                f"no part is called {name}; there are: {', '.join(known) or 'none, no mesh runs here'}"
            )
        return self._named(name)

    def _named(self, part: str) -> tuple[PartState, ...]:
        return state.read(self.home).named(part)

    def _notify(self) -> None:
        supervisor = state.supervisor(self.home)
        if supervisor is None:
            raise MeshError(f"no mesh runs in {self.home.root}")
        supervisor.send(signal.SIGHUP)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _EFFECT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise MeshError(f"waited {_EFFECT_SECONDS:.0f} s in vain for {what}")
            time.sleep(_POLL_SECONDS)


def _all(parts: Iterable[PartState], wanted: State) -> bool:
    return all(part.state == wanted for part in parts)


def _last_word(messages: Iterable[str], tell: Callable[[str], None]) -> dict[str, Any]:
    """Pass progress on until something else is said; nothing is said by a supervisor that was killed."""
    for line in messages:
        message: dict[str, Any] = json.loads(line)
        if "line" not in message:
            return message
        tell(message["line"])
    return {}
