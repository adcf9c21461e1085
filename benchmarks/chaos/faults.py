"""The plan of a run: which process suffers what, and when; all of it follows from the seed.

Faults are dealt from shuffled decks of every process with every act, so that each has come before any comes again.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MEAN_GAP_SECONDS = 3.0
_LATEST_EVERY_SECONDS = 5.0
_STOP_SECONDS = (0.1, 10.0)


class Act(StrEnum):
    """What happens to a process."""

    KILL = "kill"
    """It ends at once, whatever it was doing (SIGKILL)."""
    STOP = "stop"
    """It stands still for a while and then goes on, as if nothing had been (SIGSTOP, SIGCONT)."""
    RESTART = "restart"
    """It is asked to end in an orderly way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of the plan."""

    at: float
    """Seconds since the beginning of the run."""
    process: str
    """Its name in mesh.json."""
    replica: float
    """Which of those that live then, as a fraction of their number."""
    act: Act
    seconds: float = 0.0
    """How long it stands still."""
    whole: bool = False
    """A kill takes what the process has started with it; else that has to notice by itself."""


def plan(
    seed: int,
    seconds: float,
    processes: Sequence[str],
    *,
    acts: Sequence[Act] = tuple(Act),
    mean_gap_seconds: float = MEAN_GAP_SECONDS,
) -> tuple[Fault, ...]:
    """Answer the faults of a run, by time; without processes there are none.

    Gaps are exponential, but the n-th fault never comes so late that there would be less than one every 5 s.
    """
    chance = random.Random(seed)
    cards = sorted(itertools.product(processes, acts))
    if not cards:
        return ()
    times = itertools.takewhile(lambda at: at < seconds, _times(chance, mean_gap_seconds))
    return tuple(_fault(chance, at, *card) for at, card in zip(times, _deal(chance, cards), strict=False))


def _times(chance: random.Random, mean_gap_seconds: float) -> Iterator[float]:
    at = 0.0
    for number in itertools.count():
        latest = (number + 0.5) * _LATEST_EVERY_SECONDS
        at = min(at + chance.expovariate(1 / mean_gap_seconds), latest)
        yield at


def _deal(chance: random.Random, cards: Sequence[tuple[str, Act]]) -> Iterator[tuple[str, Act]]:
    while True:
        yield from chance.sample(cards, len(cards))


def _fault(chance: random.Random, at: float, process: str, act: Act) -> Fault:
    """Draw the rest; stops are log-uniform, so that short ones are as frequent as long ones."""
    shortest, longest = _STOP_SECONDS
    seconds = shortest * (longest / shortest) ** chance.random()
    return Fault(
        at=at,
        process=process,
        replica=chance.random(),
        act=act,
        seconds=seconds if act is Act.STOP else 0.0,
        whole=chance.random() < 0.5,
    )
