"""Runs all parts: in dependency order, as much at once as that allows, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

from deploy.local import log, meshfile, state
from deploy.local.parts import Part, check_needs, dependents
from deploy.local.site import Site
from deploy.local.unit import STOP_SECONDS, State, Unit

_STOP_ALL_SECONDS = 3.5
_HOUSEKEEPING_SECONDS = 10.0

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """Ends the task group: the mesh is to stop."""


class Supervisor:
    """Owns every process of one mesh."""

    def __init__(self, site: Site, parts: Sequence[Part], tell: Callable[[str], None]) -> None:
        check_needs(parts)
        self._site = site
        self._tell = tell
        self._parts = parts
        self._units = {part.name: Unit(part, site.home, self._changed) for part in parts}
        self._started = {part.name: asyncio.Event() for part in parts}
        self._holds_changed = asyncio.Event()
        self._up = False
        self._unwritten = False

    async def run(self, stop: asyncio.Event, up: Callable[[], None]) -> None:
        """Start everything, call `up`, keep it running until `stop` is set, then stop everything.

        Raises:
            ExceptionGroup: of StartFailed; whatever had been started is stopped then.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._raise_when(stop))
                for unit in self._units.values():
                    tasks.create_task(self._live(unit))
                for started in self._started.values():
                    await started.wait()
                self._up = True
                meshfile.write(self._site, self._processes())
                up()
                tasks.create_task(self._follow_holds())
                tasks.create_task(self._keep_house())
        except* _Stopped:
            self._tell("stopping")
        finally:
            await self._stop_all()

    def look_at_holds(self) -> None:
        """Notice that the folder of holds has changed."""
        self._holds_changed.set()

    async def _live(self, unit: Unit) -> None:
        for need in unit.part.needs:
            await self._started[need].wait()
        began = asyncio.get_running_loop().time()
        await unit.boot()
        if unit.process is not None:  # else it was done by an earlier start
            took = asyncio.get_running_loop().time() - began
            self._tell(f"  {unit.part.name:<20} {unit.state:<5} {took:6.2f} s")
        self._started[unit.part.name].set()
        await unit.keep()

    async def _follow_holds(self) -> None:
        while True:
            await self._holds_changed.wait()
            self._holds_changed.clear()
            wanted_down = {path.name for path in self._site.home.holds.iterdir()}
            for unit in self._units.values():
                held = bool(wanted_down & {unit.part.name, unit.part.process_name})
                if held and not unit.held:
                    await unit.hold()
                elif unit.held and not held:
                    unit.release()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            if self._unwritten:
                self._write()
            self._trim_logs()

    def _trim_logs(self) -> None:
        for name in self._units:
            try:
                log.trim(self._site.home.log(name))
            except OSError:  # a full disk must not end the mesh
                _log.exception("the log of %s could not be moved", name)

    async def _raise_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        raise _Stopped

    async def _stop_all(self) -> None:
        """Stop every part after those that need it; when that takes too long, kill what is left."""
        stopped = {name: asyncio.Event() for name in self._units}
        try:
            async with asyncio.timeout(_STOP_ALL_SECONDS), asyncio.TaskGroup() as tasks:
                for unit in self._units.values():
                    tasks.create_task(self._stop(unit, stopped))
        except TimeoutError:
            await asyncio.gather(*(unit.kill() for unit in self._units.values()))

    async def _stop(self, unit: Unit, stopped: dict[str, asyncio.Event]) -> None:
        for name in dependents(self._parts, unit.part.name):
            await stopped[name].wait()
        await unit.terminate(STOP_SECONDS)
        stopped[unit.part.name].set()

    def _changed(self, unit: Unit) -> None:
        """Write down what became of a part; mesh.json names the new process before that can have answered anyone."""
        self._write(processes=unit.state in {State.STARTING, State.HELD})

    def _write(self, *, processes: bool = True) -> None:
        """Write the books; what a full disk does not take is written later, with all that has changed by then."""
        parts = tuple(_part_state(unit) for unit in self._units.values())
        try:
            if self._up and (processes or self._unwritten):
                meshfile.write(self._site, self._processes())
            state.write(self._site.home, state.MeshState(parts))  # last: by it `hold` knows that all is done
        except OSError:  # it must not end the mesh: what was accepted is still being worked off
            self._unwritten = True
            _log.exception("the state of the mesh could not be written down")
        else:
            self._unwritten = False

    def _processes(self) -> dict[str, list[int]]:
        """Answer the process ids by name; a part that died keeps its last one until it is started again."""
        pids: dict[str, list[int]] = {}
        for unit in self._units.values():
            if not unit.part.is_step:
                running = [unit.process.pid] if unit.process else []
                pids.setdefault(unit.part.process_name, []).extend(running)
        return {**pids, "supervisor": [os.getpid()]}


def _part_state(unit: Unit) -> state.PartState:
    part = unit.part
    return state.PartState(part.name, part.process_name, unit.state, unit.restarts, unit.process)
