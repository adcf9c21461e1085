"""The watermark: before which time everything that was accepted is in the ledger.

A scan is in SCANS until its usage is in USAGE, and there until it is in the ledger. So SCANS is looked at first: what
it holds no more was accepted before a certain time, and its usage stands in USAGE by then, below a certain sequence.
Once USAGE has left that sequence behind, all of it is in the ledger. Ages are told by the bus, so no two clocks are
compared but this one and that of whoever accepts scans.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.billing.periods import cell_of

IN_FLIGHT = timedelta(seconds=15)
"""How long after its accept time a scan is published at the latest: a deadline of 10 s, and 5 s between two clocks."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A time that the watermark may move to."""

    time: datetime
    usage_sequence: int
    """When USAGE holds nothing up to this sequence."""
    usage_epoch: str
    """That of the stream: another one numbers anew."""


def candidate_time(now: datetime, oldest_scan: timedelta | None) -> datetime | None:
    """Answer the end of the last cell of which no scan can be in SCANS, or on its way there, any more; None if unknown.

    Args:
        now: a time before SCANS was looked at.
        oldest_scan: the age of its oldest message; None when it is empty. One below zero tells no age: the bus' clock
            was set back.
    """
    age = oldest_scan or timedelta()
    return None if age < timedelta() else cell_of(now - age - IN_FLIGHT)


class Candidates:
    """Times that wait for USAGE to be left behind, oldest first: one for each cell at most."""

    def __init__(self) -> None:
        self._waiting: deque[Candidate] = deque()

    def add(self, candidate: Candidate) -> None:
        """Add a time, unless one as good waits already."""
        if not self._waiting or candidate.time > self._waiting[-1].time:
            self._waiting.append(candidate)

    def confirmed(self, first_usage: int, epoch: str) -> datetime | None:
        """Answer the latest time of which all usage is in the ledger, and forget it and those before; None if none.

        Args:
            first_usage: the sequence of the oldest message in USAGE, or the next one if that is empty.
            epoch: that of the stream.
        """
        latest: datetime | None = None
        while self._waiting and _left_behind(self._waiting[0], first_usage, epoch):
            candidate = self._waiting.popleft()
            if candidate.usage_epoch == epoch:
                latest = candidate.time
        return latest


def _left_behind(candidate: Candidate, first_usage: int, epoch: str) -> bool:
    return candidate.usage_epoch != epoch or candidate.usage_sequence < first_usage
