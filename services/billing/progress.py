"""Moves the watermark on, and tells the totals that it makes certain. Without the bus, it stands still."""

from __future__ import annotations

import asyncio
import logging

from services.billing.publisher import Publisher
from services.billing.store_progress import ProgressStore
from services.billing.watermark import Candidate, Candidates, candidate_time
from services.chassis import subjects
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable

_LOOK_SECONDS = 1.0
_COMPANIES_AT_ONCE = 100

_log = logging.getLogger(__name__)


class Progress:
    """Looks at the streams each second; several replicas may, since neither watermark nor totals ever go back."""

    def __init__(self, bus: Bus, store: ProgressStore, publisher: Publisher, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._candidates = Candidates()

    async def run(self) -> None:
        """Go on, for ever."""
        while True:
            try:
                await self.look()
                await self.tell()
            except Unavailable as error:
                _log.warning("the watermark stands still", extra={"error": str(error)})
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Look at SCANS and then at USAGE, and move the watermark to where they allow.

        Raises:
            Unavailable: the bus or the database is away.
        """
        now = self._clock()  # before: whatever comes into SCANS after this look was accepted later
        scans = await self._bus.state(subjects.SCANS)
        usage = await self._bus.state(subjects.USAGE)
        time = candidate_time(now, scans.oldest)
        if time is None:
            _log.warning(
                "the watermark stands still: the bus' clock was set back", extra={"age": scans.oldest}
            )
        else:
            self._candidates.add(Candidate(time, usage.last_sequence, usage.epoch))
        # A stream that never held a message calls its first one 0.
        first = usage.first_sequence if usage.messages else usage.last_sequence + 1
        confirmed = self._candidates.confirmed(first, usage.epoch)
        if confirmed is not None:
            await self._store.advance(confirmed)

    async def tell(self) -> None:
        """Tell the totals that have changed since they were told last, or all of them to a bucket that was made anew.

        Raises:
            Unavailable: the bus or the database is away; they are told next time.
        """
        now = self._clock()
        epoch = (await self._bus.state(subjects.TOTALS)).epoch
        untold = await self._store.untold(epoch)
        if untold is None:
            return
        for start in range(0, len(untold.company_ids), _COMPANIES_AT_ONCE):
            some = untold.company_ids[start : start + _COMPANIES_AT_ONCE]
            totals = await self._store.totals(some, untold.watermark_time, now)
            await asyncio.gather(*map(self._publisher.total, totals))
        await self._store.told(untold.watermark_time, now, epoch)
