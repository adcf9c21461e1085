"""How full the stream of accepted scans is; before it is full, the lanes that may wait are refused.

So a recorder that has fallen behind costs bulk first, then standard, and leaves room for premium.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.subjects import SCANS, Lane
from services.ingest.shedding import Overloaded, allows

_LOOK_SECONDS = 1.0
_RETRY = timedelta(seconds=10)
"""A stream that is half full does not empty within a moment."""

_log = logging.getLogger(__name__)


class Backlog:
    """The share of the stream that is taken, as of a second ago."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._share = 0.0

    def overload(self, lane: Lane) -> Overloaded | None:
        """Answer why scans of a lane must wait for the recorder; None if they may be accepted."""
        return None if allows(lane, self._share) else Overloaded(_RETRY)

    async def run(self) -> None:
        """Look each second, for ever; while the bus does not answer, what was seen last counts."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.info("the backlog cannot be seen", extra={"error": str(error)})
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """See how full the stream is.

        Raises:
            Unavailable: the bus does not answer.
        """
        state = await self._bus.state(SCANS)
        self._share = state.size / state.max_size
