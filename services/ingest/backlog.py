"""What is accepted and not yet worked off, and the room for it: in its stream, and on the disk that it drains into.

Before there is none, the lanes that may wait are refused. So a recorder that has fallen behind, or a disk that fills up,
costs bulk first, then standard, and leaves room for premium.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.subjects import RECORDED, SCANS, Lane
from services.ingest.disk import Disk
from services.ingest.shedding import Overloaded, allows

_LOOK_SECONDS = 1.0
_RETRY = timedelta(seconds=10)
"""A stream that is half full, or a disk that is full, does not empty within a moment."""
_SCANS_GROW, _RECORDED_GROW = 16, 6
"""What a byte that waits there takes on disk before it is done with: rows, their indexes, the streams after it. Measured
with the smallest scans in batches (docs/reliability.md); all others take less."""

_log = logging.getLogger(__name__)


class Backlog:
    """The shares of the stream and of the disk that are taken, as of a second ago."""

    def __init__(self, bus: Bus, disk: Disk | None = None) -> None:
        """Describe it; without a disk, somebody else looks after that of the stores."""
        self._bus = bus
        self._disk = disk
        self._promised = 0
        self._stream_taken = 0.0
        self._disk_taken = 0.0
        self._refused: list[Lane] = []

    def overload(self, lane: Lane) -> Overloaded | None:
        """Answer why scans of a lane must wait until there is room; None if they may be accepted."""
        return None if allows(lane, max(self._stream_taken, self._disk_taken)) else Overloaded(_RETRY)

    async def run(self) -> None:
        """Look each second, for ever; what cannot be seen is taken to be as it was seen last."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.info("the backlog cannot be seen", extra={"error": str(error)})
            self._tell()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """See how full the disk and the stream are.

        Raises:
            Unavailable: the bus does not answer, or the disk cannot be looked at.
        """
        try:
            if self._disk is not None:
                self._disk_taken = self._disk.taken(self._promised)
        finally:  # each is looked at whether or not the other can be
            await self._look_at_streams()

    async def _look_at_streams(self) -> None:
        scans = await self._bus.state(SCANS)
        self._stream_taken = scans.size / scans.max_size
        if self._disk is not None:
            recorded = await self._bus.state(RECORDED)
            self._promised = _SCANS_GROW * scans.size + _RECORDED_GROW * recorded.size

    def _tell(self) -> None:
        """Log when other lanes are refused than a second ago."""
        refused = [lane for lane in Lane if self.overload(lane) is not None]
        if refused != self._refused:
            taken = {"stream_taken": self._stream_taken, "disk_taken": self._disk_taken}
            _log.warning("lanes refused for want of room", extra={"lanes": refused, **taken})
            self._refused = refused
