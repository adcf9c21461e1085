"""The processes of a mesh as they are at this moment: those that mesh.json names and the supervisor has started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.mesh import Description
from deploy.local.process import ProcessId, with_children

SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Replica:
    """One living process."""

    name: str
    place: int
    """Among the processes of that name; it stays when the process is started again."""
    process: ProcessId


def names(description: Description) -> list[str]:
    """Answer what may be disturbed: everything but the supervisor."""
    return sorted(name for name in description["processes"] if name != SUPERVISOR)


def living(description: Description) -> Mapping[str, list[Replica]]:
    """Answer the living processes by name.

    A pid that has gone to a process of somebody else meanwhile is none of the supervisor's children.
    """
    [supervisor] = description["processes"][SUPERVISOR]
    children = {child.pid: child for child in with_children([ProcessId.of(supervisor)])}
    return {
        name: [
            Replica(name, place, children[pid])
            for place, pid in enumerate(description["processes"][name])
            if pid in children
        ]
        for name in names(description)
    }


def missing(description: Description, replicas: Mapping[str, int]) -> list[str]:
    """Answer the names of which fewer live than there should be."""
    alive = living(description)
    return [name for name, wanted in replicas.items() if len(alive[name]) < wanted]


def is_replaced(description: Description, replica: Replica) -> bool:
    """Tell whether another process lives in its place."""
    pids = description["processes"][replica.name]
    if len(pids) <= replica.place or pids[replica.place] == replica.process.pid:
        return False
    try:
        ProcessId.of(pids[replica.place])
    except ProcessLookupError:
        return False
    return True
