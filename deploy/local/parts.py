"""What a part of the mesh is: one shape for servers, services and the steps between them."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class NotReady(Exception):
    """A part does not answer yet, or not as it should."""


Check = Callable[[], Awaitable[None]]
"""Asks a part whether it works; raises NotReady or OSError when not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A command that stays, or, without `ready`, a step that runs to its end each time the mesh starts."""

    name: str
    """Its name in messages, in the log folder, and for `hold` and `release`."""
    argv: tuple[str, ...]
    """Visible to every user of the machine: never holds a secret."""
    needs: tuple[str, ...] = ()
    """Parts that must be ready, and steps that must be done, before it is started."""
    ready: Check | None = None
    alive: Check | None = None
    """Asked for as long as it is ready; NotReady means that it lives, does not work any more, and would work again if it
    were started anew. Silence (OSError) means nothing: it may be busy."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to a minimal environment."""
    stdin: str = ""
    """What it reads from its standard input."""
    process: str = ""
    """Its name under `processes` in mesh.json, shared by replicas; by default its own name."""
    stop: signal.Signals = signal.SIGTERM
    """Asks it to stop in an orderly way; also sent should the supervisor die."""
    nice: int = 0
    """How far it goes behind others when the processors are busy."""
    run_as: tuple[str, ...] = ()
    """Options of setpriv that change its user; none = the user of the mesh."""
    before: Callable[[], None] | None = None
    """Called right before each start."""
    marker: Path | None = None
    """A step with a marker is done once per home: the file is made when it succeeds, and skips it from then on."""

    @property
    def is_step(self) -> bool:
        """Tell whether it runs to its end rather than stays."""
        return self.ready is None

    @property
    def process_name(self) -> str:
        """Answer its name in mesh.json."""
        return self.process or self.name


def dependents(parts: Sequence[Part], name: str) -> set[str]:
    """Answer the parts that directly need the part called `name`."""
    return {part.name for part in parts if name in part.needs}


def check_needs(parts: Sequence[Part]) -> None:
    """Refuse a set of parts that could never start.

    Raises:
        ValueError: a part needs one that does not exist, or itself in the end.
    """
    left = {part.name: set(part.needs) for part in parts}
    while left:
        startable = {name for name, needs in left.items() if not needs & left.keys()}
        if not startable:
            raise ValueError(f"these parts wait for each other: {sorted(left)}")
        for name in startable:
            unknown = left.pop(name) - {part.name for part in parts}
            if unknown:
                raise ValueError(f"{name} needs parts that do not exist: {sorted(unknown)}")
