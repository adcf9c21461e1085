"""What a fault did to the accept path, as devices saw it.

Load is offered all the time, so a stretch without an acceptance is one in which scans were waiting. Faults overlap:
what one of them caused is also charged to every other whose window it falls into.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Outage:
    """The window of a fault: from its beginning until it has been recovered from."""

    errors: int
    """Attempts that ended in it with a server error, or without an answer; if it never closed: until the run's end."""
    outage_s: float | None
    """The longest time in it without an acceptance; None if the run ended first."""
    recovered_s: float | None
    """From the fault's beginning to the first acceptance with the process back; None if the run ended first."""


def outage(
    began: float, back: float | None, acceptances: Sequence[float], failures: Sequence[float]
) -> Outage:
    """Measure a fault.

    Args:
        began: when it began.
        back: when the process was there again: started anew, or going on after a stop; None: not until the end.
        acceptances: when attempts ended with an accepted scan, sorted.
        failures: when attempts failed, sorted.
    """
    first = bisect_right(acceptances, began)
    last = len(acceptances) if back is None else bisect_left(acceptances, back, lo=first)
    since = bisect_left(failures, began)
    if last == len(acceptances):
        return Outage(len(failures) - since, None, None)
    recovered = acceptances[last]
    moments = [began, *acceptances[first : last + 1]]
    return Outage(
        errors=bisect_right(failures, recovered) - since,
        outage_s=max(later - earlier for earlier, later in pairwise(moments)),
        recovered_s=recovered - began,
    )
