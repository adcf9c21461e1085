"""Does to a mesh what the plan says, and looks when the process is back.

Which pid a fault meets is read from mesh.json at its moment. Where no process of that name lives just then, because
another fault has ended it, the fault meets one that does. Whatever was stopped goes on in the end, also when the run
is interrupted.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chaos import processes
from benchmarks.chaos.faults import Act, Fault
from benchmarks.chaos.processes import Replica
from benchmarks.mesh import Description
from deploy.local.process import ProcessId, with_children

_LOOK_SECONDS = 0.05
_BACK_SECONDS = 60.0
_ORDERLY: Mapping[str, signal.Signals] = {"postgres": signal.SIGINT}
"""Asks for an orderly end; all others take SIGTERM, after which PostgreSQL would wait for every client to go."""


@dataclass(frozen=True, slots=True)
class Injury:
    """What a fault has done; times are the loop's."""

    at: float
    """Seconds since the beginning of the run."""
    what: str
    """Such as `kill ingest`, by the process it has met."""
    ended: Sequence[str]
    """The names of the processes that it has ended."""
    began: float
    back: float | None
    """When the process had been started again, or went on after a stop; None: not within a minute."""


class Injector:
    """Disturbs one mesh; of the processes only those of some names."""

    def __init__(self, describe: Callable[[], Description], names: Sequence[str]) -> None:
        """Describe it; `describe` reads mesh.json anew."""
        self._describe = describe
        self._names = names

    async def run(self, faults: Sequence[Fault], seconds: float) -> list[Injury]:
        """Let the faults happen; answer what they did, once the run's seconds are over and the processes are back."""
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            injuring = [tasks.create_task(self._injure(fault, start, start + seconds)) for fault in faults]
        return [injury for injury in (task.result() for task in injuring) if injury is not None]

    async def _injure(self, fault: Fault, start: float, end: float) -> Injury | None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(start + fault.at - loop.time())
        victim = await self._victim(fault, end)
        if victim is None:
            return None
        began = loop.time()
        await _do(fault, victim, end)
        back = await self._back(fault.act, victim)
        ended = () if fault.act is Act.STOP else (victim.name,)
        return Injury(began - start, f"{fault.act} {victim.name}", ended, began, back)

    async def _victim(self, fault: Fault, end: float) -> Replica | None:
        """Choose a process that lives, of the planned name if there is one; none lives until the end: None."""
        others = [name for name in self._names if name != fault.process]
        first = int(fault.replica * len(others))
        wanted = [fault.process, *others[first:], *others[:first]]
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            alive = processes.living(self._describe())
            for candidates in filter(None, (alive[name] for name in wanted)):
                return candidates[int(fault.replica * len(candidates))]
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _back(self, act: Act, victim: Replica) -> float | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _BACK_SECONDS
        while loop.time() < until:
            if act is Act.STOP and victim.process.alive():
                return loop.time()
            if processes.is_replaced(self._describe(), victim):
                return loop.time()
            await asyncio.sleep(_LOOK_SECONDS)
        return None


async def _do(fault: Fault, victim: Replica, end: float) -> None:
    match fault.act:
        case Act.KILL:
            for process in with_children([victim.process]) if fault.whole else [victim.process]:
                process.send(signal.SIGKILL)
        case Act.RESTART:
            victim.process.send(_ORDERLY.get(victim.name, signal.SIGTERM))
        case Act.STOP:
            await _stop(victim.process, min(fault.seconds, end - asyncio.get_running_loop().time()))


async def _stop(victim: ProcessId, seconds: float) -> None:
    """Have a process and its children stand still: a stopped postmaster alone would leave its backends working."""
    stopped = [victim]
    try:
        victim.send(signal.SIGSTOP)  # first: from here on it starts no more children
        for child in itertools.islice(with_children([victim]), 1, None):
            stopped.append(child)
            child.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
    finally:
        for process in reversed(stopped):
            process.send(signal.SIGCONT)
