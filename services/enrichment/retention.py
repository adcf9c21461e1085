"""Retention: results go when their company's plan no longer shows them."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from services.chassis.attempts import Attempts
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.plans import Plans
from services.enrichment.store_retention import RetentionStore

INTERVAL = timedelta(hours=1)
_LOOK = timedelta(seconds=10)
"""How often one looks whether it is known by now who has which plan."""
_SETTLED = timedelta(days=2)
"""A younger result may have events that are not known to be on disk: they are derived from it again."""
_ATTEMPTS_KEPT = timedelta(days=2)

_log = logging.getLogger(__name__)


class Retention:
    """Deletes what is beyond retention, from time to time."""

    def __init__(self, store: RetentionStore, attempts: Attempts, plans: Plans, clock: Clock) -> None:
        self._store = store
        self._attempts = attempts
        self._plans = plans
        self._clock = clock

    async def run(self) -> None:
        """Sweep each hour, for ever."""
        while True:
            try:
                await self.sweep()
            except Unavailable as error:
                _log.info("the sweep is put off", extra={"error": str(error)})
            pause = INTERVAL if self._plans.complete else _LOOK
            await asyncio.sleep(pause.total_seconds())

    async def sweep(self) -> int:
        """Delete all that is beyond retention, and answer how many results were: none until all plans are known.

        Raises:
            Unavailable: the database is away; the rest is for the next time.
        """
        await self._attempts.forget(_ATTEMPTS_KEPT)
        if not self._plans.complete:
            return 0
        return sum([await self._sweep(company_id) for company_id in await self._store.companies()])

    async def _sweep(self, company_id: int) -> int:
        now, deleted = self._clock(), 0
        accepted_before = now - self._plans.of(company_id).retention
        while True:
            count = await self._store.delete(
                company_id, accepted_before=accepted_before, enriched_before=now - _SETTLED
            )
            deleted += count
            if count < self._store.batch:
                return deleted
