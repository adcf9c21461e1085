"""Housekeeping of the recorder: days are made ahead, and what has served its time goes.

Nothing goes by a replica's clock alone, only by the earlier one of its own and the bus'; days are made by its own, as
scans are accepted. A deduplication row lives until the *watermark* of SCANS, what has not been recorded yet, is 37 days
past it; and before a row goes, a floor says that whoever still holds a message from before then comes too late.
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
from services.ingest.store_purge import PurgeStore

INTERVAL = timedelta(seconds=60)
MEMORY = timedelta(days=37)
"""A resend comes at most 35 days after its scan time, which lies at most one day after its acceptance; and one more."""
_SLACK = timedelta(seconds=15)
"""A message may be older than its stream says by the time that a publish takes, and clocks differ."""
_SPAN = timedelta(seconds=15)
"""The scans of one message are accepted within less: what the floor keeps out has not lost single rows only."""
_TALLY_MEMORY = timedelta(days=8)
_ATTEMPT_MEMORY = timedelta(days=2)
_CHORE_SECONDS = 10.0
"""How long a chore deletes before the others have their turn; a round takes half a minute then, and the next follows
at once."""
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
            if not await self.round():
                await asyncio.sleep(INTERVAL.total_seconds())

    async def round(self) -> bool:
        """Do every chore once, and tell whether one of them has more to do at once.

        One that cannot be done now stops no other and is done the next time.
        """
        chores = (
            self.make_days,
            self.drop_days,
            self.sweep,
            self.forget_letters,
            self.forget_scans,
            self.forget_counts,
            self.forget_tallies,
            self.forget_attempts,
        )
        return any([await _done(chore) for chore in chores])

    async def make_days(self) -> None:
        """Make the days to come."""
        await self._days.make(days.needed(self._now()))

    async def drop_days(self) -> None:
        """Drop the days that no plan keeps."""
        now = self._earlier(await self._bus.state(SCANS))
        for day in days.outlived(await self._days.kept(), now):
            await self._days.drop(day)
            self._days.forget()

    async def sweep(self) -> bool:
        """Delete scans that their company's plan does not keep, some days at a time.

        Queries hide them from the first moment; so what plan a company is on may as well be known before.
        """
        if not self._plans.complete:
            return False
        now, by = self._earlier(await self._bus.state(SCANS)), _chore_end()
        if not self._to_sweep:
            self._to_sweep.extend(await self._days.kept())
        for _ in range(min(_DAYS_A_ROUND, len(self._to_sweep))):
            if await self._sweep_day(self._to_sweep[0], now, by):
                return True
            self._to_sweep.popleft()
        return False

    async def _sweep_day(self, day: date, now: datetime, by: float) -> bool:
        for company_id in await self._purges.companies(day):
            outlived = days.outlived([day], now, self._plans.of(company_id).retention)
            if outlived and await _some_left(partial(self._purges.purge_events, company_id, day), by):
                return True
        return False

    async def forget_letters(self) -> bool:
        """Forget letters as old as scans are forgotten, and before those: a replay needs what is known of its scan."""
        limit = self._watermark(await self._bus.state(SCANS)) - MEMORY
        return await _some_left(partial(self._purges.purge_letters, limit))

    async def forget_scans(self) -> bool:
        """Forget scans that nobody can send again."""
        state = await self._bus.state(SCANS)
        limit = self._watermark(state) - MEMORY
        if not await self._purges.has_ids_before(limit - _SPAN):
            return False
        await self._purges.raise_floor(state.epoch, state.first_sequence, limit)
        return await _some_left(partial(self._purges.purge_ids, limit - _SPAN))

    async def forget_counts(self) -> bool:
        """Forget the numbers of days that no plan keeps."""
        day, by = days.oldest_kept(self._earlier(await self._bus.state(SCANS))), _chore_end()
        purges = (self._purges.purge_minutes, self._purges.purge_hours)
        return any([await _some_left(partial(purge, day), by) for purge in purges])

    async def forget_tallies(self) -> bool:
        """Forget counted events that cannot come again: what they derive from has left its queue, they theirs."""
        states = [await self._bus.state(stream) for stream in (RECORDED, TALLY)]
        watermark, now = min(map(self._watermark, states)), min(map(self._earlier, states))
        return await _some_left(partial(self._purges.purge_tallied, min(watermark, now - _TALLY_MEMORY)))

    async def forget_attempts(self) -> None:
        """Forget messages that have not failed for long."""
        await self._attempts.forget(_ATTEMPT_MEMORY)

    def _watermark(self, state: StreamState) -> datetime:
        """Answer the time before which everything has left a stream; the stream's age is by its server's clock.

        Raises:
            Unavailable: that clock was set back: how old the stream's messages are cannot be told.
        """
        age = state.oldest or timedelta()
        if age < timedelta():
            raise Unavailable(f"the clock of the bus is {-age} behind what it holds")
        return self._earlier(state) - age - _SLACK

    def _earlier(self, state: StreamState) -> datetime:
        """Answer the time by the clock that is behind: one that runs ahead alone lets nothing go too early."""
        return min(self._now(), state.time)


async def _done(chore: Callable[[], Awaitable[bool | None]]) -> bool:
    """Do a chore if it can be done now, and tell whether there is more of it."""
    try:
        return bool(await chore())
    except Unavailable as error:
        _log.warning("a chore waits", extra={"chore": chore.__name__, "error": str(error)})
        return False


async def _some_left(purge: Callable[[], Awaitable[bool]], by: float | None = None) -> bool:
    """Delete batch by batch until nothing is left that is to go, or the chore's time is over."""
    by = by or _chore_end()
    while await purge():
        if asyncio.get_running_loop().time() >= by:
            return True
    return False


def _chore_end() -> float:
    return asyncio.get_running_loop().time() + _CHORE_SECONDS
