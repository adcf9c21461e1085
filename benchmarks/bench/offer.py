"""The highest load that a mesh takes, offered in an open loop.

First the peak is sought in a closed loop: so many callers, each waiting for its answer, the first two seconds apart, in
which caches and connections of a new company are filled. What that finds is more than can be kept up, for its callers
politely wait; so shares of it, the highest first, are offered at a steady rate, each to a mesh that has settled. The
first one that is reached for the whole time of the row is the value: 98 % of what was offered is accepted by the end, a
quarter of a second granted to the last calls, and no more than half a second's calls are ever outstanding. A load that
outgrows that is broken off at once, not waited for. If no share is reached, there is no value.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.pace import at_rate

_WARM_UP_SECONDS = 2.0
_REACHED = 0.98
_LAST_CALLS_SECONDS = 0.25
_OUTSTANDING_SECONDS = 0.5

Send = Callable[[], Awaitable[int]]
"""One call; answers how many scans it got accepted, 0 if it failed."""


class Overrun(Exception):
    """More calls wait for their answers than the mesh could give in time."""


@dataclass(frozen=True, slots=True)
class Load:
    """A way to hand scans over."""

    send: Send
    size: int
    """Scans in one call."""
    callers: int
    """How many calls at once find the peak."""


@dataclass(slots=True)
class Offered:
    """What became of a load that was offered."""

    rate: float
    """Scans a second."""
    seconds: float
    sent: int = 0
    """Scans of all calls that were made: whole calls, so not quite what the rate says."""
    accepted: int = 0
    in_time: int = 0
    """Scans that were accepted by the end."""
    overrun: bool = False
    latencies: list[float] = field(default_factory=list)
    """Seconds from when a call was due until it was accepted; infinite for one that was not."""

    @property
    def reached(self) -> bool:
        """Whether the mesh has taken it."""
        return not self.overrun and self.in_time >= _REACHED * self.rate * self.seconds

    @property
    def taken(self) -> float:
        """Scans a second that were accepted in time, and never more than were offered."""
        return min(self.rate, self.in_time / self.seconds)

    @property
    def whole(self) -> bool:
        """Whether it was reached, and every single scan of it accepted."""
        return self.reached and self.accepted >= self.sent

    def __str__(self) -> str:
        end = "outgrew the mesh" if self.overrun else f"{self.in_time / self.seconds:.0f}/s accepted in time"
        return f"{self.rate:.0f}/s offered for {self.seconds:.0f} s, {end}"


async def peak(load: Load, seconds: float, warm_up: float = _WARM_UP_SECONDS) -> float:
    """Answer how many scans a second are accepted when callers wait for their answers."""
    loop = asyncio.get_running_loop()
    accepted, start = 0, loop.time() + warm_up

    async def caller() -> None:
        nonlocal accepted
        while loop.time() < start + seconds:
            got = await load.send()  # not in one line with the sum: others add to it meanwhile
            accepted += got if loop.time() >= start else 0

    await asyncio.gather(*(caller() for _ in range(load.callers)))
    return accepted / (loop.time() - start)


async def offer(load: Load, rate: float, seconds: float) -> Offered:
    """Offer so many scans a second, and tell what became of them."""
    loop = asyncio.get_running_loop()
    offered = Offered(rate, seconds)
    until = loop.time() + seconds + _LAST_CALLS_SECONDS
    most_outstanding = max(load.callers, _OUTSTANDING_SECONDS * rate / load.size)
    outstanding = 0

    async def fire(due: float) -> None:
        nonlocal outstanding
        if outstanding > most_outstanding:
            raise Overrun
        outstanding += 1
        offered.sent += load.size
        accepted = await load.send()
        outstanding -= 1
        now = loop.time()
        offered.accepted += accepted
        offered.in_time += accepted if now <= until else 0
        offered.latencies.append(now - due if accepted else math.inf)  # what was not accepted was never done

    try:
        await at_rate(rate / load.size, seconds, fire)
    except* Overrun:
        offered.overrun = True
    return offered
