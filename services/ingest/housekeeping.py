"""Housekeeping of the recorder: days are made ahead, and what has served its time goes.

Nothing here goes by a replica's clock alone where that could count a scan twice: a deduplication row lives until the
*watermark* of SCANS, what has not been recorded yet, is 37 days past it; and before a row goes, a floor says that
whoever still holds a message from before then comes too late.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from functools import partial

from services.chassis.attempts import Attempts
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.holdings import StreamState
from services.chassis.plans import Plans
from services.chassis.subjects import RECORDED, SCANS, TALLY
from services.ingest import days
from services.ingest.store_day import DayStore
from services.ingest.store_purge import BATCH, PurgeStore

INTERVAL = timedelta(seconds=60)
MEMORY = timedelta(days=37)
"""A resend comes at most 35 days after its scan time, which lies at most one day after its acceptance; and one more."""
_SLACK = timedelta(seconds=15)
"""A message may be older than its stream says by the time that a publish takes, and clocks differ."""
_TALLY_MEMORY = timedelta(days=8)
_ATTEMPT_MEMORY = timedelta(days=2)
_BATCHES = 20
"""Batches of one kind in a round; the rest waits for the next."""
_DAYS_A_ROUND = 4
"""Days in which a round looks for scans that their companies' plans do not keep: 370 days take two hours."""

_log = logging.getLogger(__name__)


class Housekeeper:
    """Cleans up once a minute; any number of replicas may."""

    def __init__(self, bus: Bus, database: Database, plans: Plans, now: Clock) -> None:
        self._bus = bus
        self._days = DayStore(database)
        self._purges = PurgeStore(database)
        self._attempts = Attempts(database, "ingest")
        self._plans = plans
        self._now = now
        self._to_sweep: deque[date] = deque()

    async def run(self) -> None:
        """Clean up, for ever."""
        while True:
            await self.round()
            await asyncio.sleep(INTERVAL.total_seconds())

    async def round(self) -> None:
        """Do every chore once; one that cannot be done now stops no other and is done the next time."""
        for chore in (
            self.make_days,
            self.drop_days,
            self.sweep,
            self.forget_scans,
            self.forget_tallies,
            self.forget_attempts,
        ):
            try:
                await chore()
            except Unavailable as error:
                _log.warning("a chore waits", extra={"chore": chore.__name__, "error": str(error)})

    async def make_days(self) -> None:
        """Make the days to come."""
        await self._days.make(days.needed(self._now()))

    async def drop_days(self) -> None:
        """Drop the days that no plan keeps."""
        for day in days.outlived(await self._days.kept(), self._now()):
            await self._days.drop(day)
            self._days.forget()

    async def sweep(self) -> None:
        """Delete scans that their company's plan does not keep, some days at a time.

        Queries hide them from the first moment; so what plan a company is on may as well be known before.
        """
        if not self._plans.loaded.is_set():
            return
        if not self._to_sweep:
            self._to_sweep.extend(await self._days.kept())
        for _ in range(min(_DAYS_A_ROUND, len(self._to_sweep))):
            await self._sweep_day(self._to_sweep.popleft())

    async def _sweep_day(self, day: date) -> None:
        for company_id in await self._purges.companies(day):
            if days.outlived([day], self._now(), self._plans.of(company_id).retention):
                await _in_batches(partial(self._purges.purge_events, company_id, day))

    async def forget_scans(self) -> None:
        """Forget scans that nobody can send again, and letters as old."""
        state = await self._bus.state(SCANS)
        limit = self._watermark(state) - MEMORY
        if await self._purges.has_ids_before(limit):
            await self._purges.raise_floor(state.epoch, state.first_sequence)
            await _in_batches(partial(self._purges.purge_ids, limit))
        await _in_batches(partial(self._purges.purge_letters, limit))

    async def forget_tallies(self) -> None:
        """Forget counted events that cannot come again: what they derive from has left its queue, they theirs."""
        watermarks = [self._watermark(await self._bus.state(stream)) for stream in (RECORDED, TALLY)]
        limit = min(self._now() - _TALLY_MEMORY, *watermarks)
        await _in_batches(partial(self._purges.purge_tallied, limit))

    async def forget_attempts(self) -> None:
        """Forget messages that have not failed for long."""
        await self._attempts.forget(_ATTEMPT_MEMORY)

    def _watermark(self, state: StreamState) -> datetime:
        """Answer the time before which everything has left a stream; the stream's age is by its server's clock."""
        return self._now() - (state.oldest or timedelta()) - _SLACK


async def _in_batches(delete: Callable[[], Awaitable[int]]) -> None:
    for _ in range(_BATCHES):
        if await delete() < BATCH:
            return
