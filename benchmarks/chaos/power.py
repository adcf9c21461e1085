"""The power switch: the whole machine loses its power at once, and everything is started again.

What stands on the disk then is what had been flushed. The supervisor is the only one to live through it, asleep: it
stands for whatever starts the machine's processes, and finds that all of them are gone.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

from benchmarks.chaos import processes
from benchmarks.chaos.injector import Injury
from benchmarks.chaos.machine import Machine
from benchmarks.chaos.processes import Replica
from benchmarks.disk import Disk
from benchmarks.mesh import Description
from deploy.local.failures import MeshError
from deploy.local.process import ProcessId, wait_until_gone, with_children

_GONE_SECONDS = 10.0
_BACK_SECONDS = 60.0
_LOOK_SECONDS = 0.05


class PowerSwitch:
    """Cuts the power of one mesh, whose stores lie on a disk that can be cut off."""

    def __init__(self, describe: Callable[[], Description], disk: Disk, turn: asyncio.Lock) -> None:
        """Describe it; `describe` reads mesh.json anew, and whoever changes the disk holds `turn` meanwhile."""
        self._describe = describe
        self._disk = disk
        self._turn = turn

    async def run(self, moments: Sequence[float]) -> list[Injury]:
        """Cut the power at some moments, in seconds from now; answer what that did, once all is back.

        Raises:
            MeshError: something outlives it.
            NoDisk: the disk does not come back.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        injuries = []
        for moment in moments:
            await asyncio.sleep(start + moment - loop.time())
            async with self._turn:
                began = loop.time()
                struck = [
                    each for replicas in processes.living(self._describe()).values() for each in replicas
                ]
                await asyncio.to_thread(self._cut)
            back = await self._back(struck)
            injuries.append(
                Injury(began - start, Machine.POWER.what, [each.name for each in struck], began, back)
            )
        return injuries

    def _cut(self) -> None:
        supervisor = ProcessId.of(self._describe()["processes"][processes.SUPERVISOR][0])
        supervisor.send(signal.SIGSTOP)  # it starts nothing until there is a disk again
        try:
            victims = _frozen(supervisor)
            self._disk.cut()
            for victim in victims:
                victim.send(signal.SIGKILL)
            if left := wait_until_gone(victims, seconds=_GONE_SECONDS):
                raise MeshError(f"processes have outlived the power cut: {left}")
            self._disk.start()
        finally:
            supervisor.send(signal.SIGCONT)

    async def _back(self, struck: Sequence[Replica]) -> float | None:
        """Wait until everything has been started again; None: it has not, for a minute."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _BACK_SECONDS
        while loop.time() < until:
            description = self._describe()
            if all(processes.is_replaced(description, each) for each in struck):
                return loop.time()
            await asyncio.sleep(_LOOK_SECONDS)
        return None


def _frozen(supervisor: ProcessId) -> list[ProcessId]:
    """Have everything that it has started stand still, and answer it: nobody sees a disk that fails without power."""
    victims: list[ProcessId] = []
    while new := [each for each in _started(supervisor) if each not in victims]:
        for process in new:
            process.send(signal.SIGSTOP)
        victims += new
    return victims


def _started(supervisor: ProcessId) -> list[ProcessId]:
    """Answer its living children and theirs: PostgreSQL is many processes."""
    return [each for each in with_children(with_children([supervisor])) if each != supervisor]
