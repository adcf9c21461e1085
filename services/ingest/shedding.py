"""Shedding: when too much comes, some lanes are sent away, bulk first and premium last, so that others are served.

Whoever is sent away comes back after a delay that is drawn: devices that were refused together do not come together.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from services.chassis import telemetry
from services.chassis.errors import Reason, Unavailable
from services.chassis.subjects import Lane

_REFUSED_FROM = {Lane.BULK: 0.5, Lane.STANDARD: 0.8, Lane.PREMIUM: 1.0}
"""Of all that there is room for (DESIGN section 4): what lies above a lane's share is kept for the lanes before it."""
_LATEST = 2.0
"""Of the shortest delay."""
_RETRY = timedelta(seconds=1)

_shed = telemetry.meter(__name__).create_counter(
    "ingest.shed_requests",
    description="requests sent away unread, by lane and cause: more came than can be served, or there is no room",
)


def spread(soonest: timedelta) -> timedelta:
    """Draw a delay between the soonest and twice as long."""
    return soonest * random.uniform(1.0, _LATEST)  # noqa: S311 - nothing is gained by guessing it


class Overloaded(Unavailable):
    """More is to be done than there is room for; nothing was begun."""

    reason = Reason.OVERLOADED

    def __init__(self, soonest: timedelta = _RETRY) -> None:
        super().__init__(
            "there is too much to do at the moment; send it again",
            retry_delay=spread(soonest),
        )


def shed(lane: Lane, cause: str) -> None:
    """Count a request that is sent away before it is looked at."""
    _shed.add(1, {"lane": lane, "cause": cause})


def allows(lane: Lane, taken: float) -> bool:
    """Tell whether a lane may still have something of which a share, 0 to 1, is taken."""
    return taken < _REFUSED_FROM[lane]


class Shedder:
    """Lets so many requests a second through as one process can serve.

    A bucket that leaks at that rate and holds a second's worth. One lane alone gets all of the rate; where several come,
    each lane gets what those before it leave.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._level = 0.0
        self._at = 0.0

    def admit(self, lane: Lane) -> None:
        """Let a request of a lane through.

        Raises:
            Overloaded: it has to come again.
        """
        now = asyncio.get_running_loop().time()
        self._level = max(0.0, self._level - (now - self._at) * self._per_second)
        self._at = now
        if not allows(lane, self._level / self._per_second):
            shed(lane, "rate")
            raise Overloaded
        self._level += 1.0
