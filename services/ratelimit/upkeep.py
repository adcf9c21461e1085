"""Upkeep: keeps what Valkey holds of the companies served lately near to what the ledger and the database say.

Nothing depends on it for being right. It lets cells go that the ledger holds, so that they do not pile up, and it
finds overrides whose way to Valkey was cut by a crash.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from datetime import timedelta

from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.ratelimit.buckets import Buckets
from services.ratelimit.decision import Decision
from services.ratelimit.override_source import OverrideSource
from services.ratelimit.quota import Base

_OVERRIDES_GOOD_FOR = timedelta(minutes=5)
_MOST_COMPANIES = 10_000
_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Upkeep:
    """Notes what is due, and does it in the background."""

    def __init__(self, buckets: Buckets, overrides: OverrideSource, clock: Clock) -> None:
        self._buckets = buckets
        self._overrides = overrides
        self._clock = clock
        self._served: OrderedDict[int, None] = OrderedDict()
        self._bases: dict[int, Base] = {}
        self._reloads: set[int] = set()
        self._due = asyncio.Event()

    def served(self, company_id: int, decision: Decision) -> None:
        """Note that a company has been served."""
        self._served[company_id] = None
        self._served.move_to_end(company_id)
        if len(self._served) > _MOST_COMPANIES:
            self._served.popitem(last=False)
        if decision.accept_time - decision.overrides_read > _OVERRIDES_GOOD_FOR:
            self._reloads.add(company_id)
            self._due.set()

    def heard(self, base: Base) -> None:
        """Note what the ledger says of a company."""
        if base.company_id in self._served:
            self._bases[base.company_id] = base
            self._due.set()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            await self._due.wait()
            try:
                await self._work_off()
            except Unavailable as error:
                _log.info("upkeep waits", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)

    async def _work_off(self) -> None:
        self._due.clear()
        try:
            for company_id in [*self._bases]:
                base = self._bases[company_id]
                await self._buckets.rebase(base, self._clock())
                if self._bases[company_id] is base:
                    del self._bases[company_id]
            for company_id in [*self._reloads]:
                await self._overrides.load(company_id)
                self._reloads.discard(company_id)
        finally:
            if self._bases or self._reloads:
                self._due.set()
