"""Offering shares of a peak, the highest first, until one is reached; and what its scans cost.

Each share is offered for a moment first: a load that is too high shows that soon, and one that is taken for a moment
has still to be taken for the whole time of the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.bench.offer import Load, Offered, offer
from benchmarks.bench.profile import Profile, profiled
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.stage import Stage

SHARES = (0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.65)
_FAILURES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """A load that was offered, and what it took of the machine."""

    offered: Offered
    profile: Profile
    trouble: str = ""
    """Why it counts as not reached, if not for what was offered and accepted."""

    @property
    def reached(self) -> bool:
        """Whether the mesh has taken it, and kept up with it."""
        return self.offered.reached and not self.trouble

    def __str__(self) -> str:
        return f"{self.offered}{', ' if self.trouble else ''}{self.trouble}"


Offer = Callable[[float, float], Awaitable[Attempt]]
"""Offers so many scans a second for so many seconds."""


async def offer_once(stage: Stage, load: Load, rate: float, seconds: float) -> Attempt:
    """Offer a load, and settle."""
    async with profiled(stage.description, stage.streams) as profile:
        offered = await offer(load, rate, seconds)
    return Attempt(offered, profile)


async def highest(top: float, moment: float, seconds: float, offered: Offer) -> Sequence[Attempt]:
    """Offer shares of a peak; answer all attempts, of which the last one was as long as the row if it was reached."""
    tried: list[Attempt] = []
    for share in SHARES:
        for extent in (moment, seconds):
            tried.append(await offered(share * top, extent))
            if not tried[-1].reached:
                break
        else:
            break
    return tried


def profiles(row: str, tried: Sequence[Attempt]) -> Mapping[str, Mapping[str, Any]]:
    """Answer what a scan of the last attempt has cost, by the row; nothing if none was accepted."""
    last = tried[-1]
    scans = last.offered.accepted
    return {row: last.profile.per_scan(scans)} if scans else {}


def reading(top: float, tried: Sequence[Attempt], failures: Mapping[str, int]) -> Reading:
    """Make of attempts, and of the scans that were not accepted by why, what the row says."""
    refused = [f"{count} scans: {why}" for why, count in Counter(failures).most_common(_FAILURES_TOLD)]
    note = "; ".join([f"peak {top:.0f}/s", *map(str, tried), *refused])
    last = tried[-1]
    return Reading(last.offered.taken, note=note) if last.reached else Reading(None, NOT_REACHED, note)
