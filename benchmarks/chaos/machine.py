"""What befalls the whole machine and when; all of it follows from the seed. It needs a disk of our own, and so root."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_A_CUT_SECONDS = 25.0
_CUT_AFTER_SECONDS = (5.0, 20.0)
"""The power fails once in each such span, so long after its beginning: what it ended has come back by the next time."""
_A_FILLING_SECONDS = 50.0
_FILLED_AFTER_SECONDS = (5.0, 35.0)
_FULL_SECONDS = (2.0, 5.0)
_REST_SECONDS = 10.0
"""Of the load, to show that scans are accepted again."""


class Machine(StrEnum):
    """What may befall it."""

    POWER = "power"
    """It loses its power."""
    DISK = "disk"
    """Its disk is full for a while."""

    @property
    def what(self) -> str:
        """Answer what a report calls it."""
        return {Machine.POWER: "power cut", Machine.DISK: "disk full"}[self]


@dataclass(frozen=True, slots=True)
class Filling:
    """One time for which the disk is full."""

    at: float
    """Seconds since the beginning of the run."""
    seconds: float
    whole: bool
    """To its last byte; else to well below what is reserved for stores, in which these still have room."""

    @property
    def end(self) -> float:
        """Answer when there is room again, in seconds since the beginning of the run."""
        return self.at + self.seconds


def cuts(seed: int, seconds: float) -> tuple[float, ...]:
    """Answer when in a run the power fails; from 60 s on at least twice."""
    chance = random.Random(f"cuts {seed}")
    moments = [begin + chance.uniform(*_CUT_AFTER_SECONDS) for begin in _spans(seconds, _A_CUT_SECONDS)]
    return tuple(moment for moment in moments if moment <= seconds - _REST_SECONDS)


def fillings(seed: int, seconds: float) -> tuple[Filling, ...]:
    """Answer when in a run the disk is full, every second time to its last byte; from 60 s on at least once."""
    chance = random.Random(f"fillings {seed}")
    first = chance.randrange(2)
    found = [
        Filling(
            begin + chance.uniform(*_FILLED_AFTER_SECONDS),
            chance.uniform(*_FULL_SECONDS),
            number % 2 == first,
        )
        for number, begin in enumerate(_spans(seconds, _A_FILLING_SECONDS))
    ]
    return tuple(filling for filling in found if filling.end <= seconds - _REST_SECONDS)


def _spans(seconds: float, length: float) -> Sequence[float]:
    """Answer the beginnings of the spans of a run."""
    return [number * length for number in range(int(seconds // length) + 1)]
