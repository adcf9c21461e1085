"""What a run is asked for on the command line."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.faults import Act
from benchmarks.chaos.machine import Machine
from benchmarks.mesh import BUILD
from benchmarks.mutants.catalogue import MUTANTS, Mutant

_SECONDS, _MUTANT_SECONDS = 300.0, 20.0
_REPLICAS, _MUTANT_REPLICAS = 2, 1
_SHORTEST_SECONDS, _LONGEST_SECONDS = 5.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run."""

    seed: int
    seconds: float
    replicas: int
    mutant: Mutant | None
    targets: tuple[str, ...] | None
    """Processes that are disturbed; None: all but the supervisor."""
    acts: tuple[Act, ...]
    machine: tuple[Machine, ...]
    """What befalls the whole machine as well."""
    report: Path
    """The file it writes."""

    @property
    def logs(self) -> Path:
        """Where what the parts wrote is kept if the books do not agree, until the next run."""
        return self.report.with_name(f"{self.report.stem}-logs")


def read(arguments: Sequence[str]) -> Options:
    """Read a command line; a mutant brings its own faults, and wants a shorter run.

    Raises:
        SystemExit: it cannot be understood.
    """
    given = _parser().parse_args(arguments)
    mutant = MUTANTS[given.mutant] if given.mutant else None
    return Options(
        seed=random.SystemRandom().randrange(2**31) if given.seed is None else given.seed,
        seconds=given.seconds or (_MUTANT_SECONDS if mutant else _SECONDS),
        replicas=given.replicas or (_MUTANT_REPLICAS if mutant else _REPLICAS),
        mutant=mutant,
        targets=given.targets or (mutant.targets if mutant else None),
        acts=given.acts or tuple(map(Act, mutant.acts if mutant else Act)),
        machine=given.faults,
        report=given.report,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos",
        description="Disturb a mesh under load, then compare its books. Exits with 1 on any difference.",
    )
    parser.add_argument("--seconds", type=_duration, help="of load and faults (300, with a mutant 20)")
    parser.add_argument("--seed", type=int, help="of faults and load; else a random one, which is printed")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="plant this bug: the run must fail")
    parser.add_argument("--targets", type=_names, help="disturb these processes alone: nats,postgres")
    parser.add_argument("--acts", type=_acts, help=f"in these ways alone: {','.join(Act)}")
    parser.add_argument(
        "--faults", type=_faults, default=(), help=f"of the whole machine as well: {','.join(Machine)} (root)"
    )
    parser.add_argument("--replicas", type=_count, help="of each service and worker (2, with a mutant 1)")
    parser.add_argument("--report", type=Path, default=BUILD / "chaos.json", help="the file it writes")
    return parser


def _duration(text: str) -> float:
    seconds = float(text)
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:  # nor is it one of NaN
        raise argparse.ArgumentTypeError(f"must lie between {_SHORTEST_SECONDS:g} and {_LONGEST_SECONDS:g}")
    return seconds


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _acts(text: str) -> tuple[Act, ...]:
    return tuple(map(Act, _known(text, "act", tuple(Act))))


def _faults(text: str) -> tuple[Machine, ...]:
    return tuple(map(Machine, _known(text, "fault of the machine", tuple(Machine))))


def _known(text: str, kind: str, known: Sequence[str]) -> tuple[str, ...]:
    names = _names(text)
    if unknown := sorted(set(names).difference(known)):
        raise argparse.ArgumentTypeError(
            f"no such {kind}: {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    return names
