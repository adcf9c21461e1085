"""Where overrides come from: PostgreSQL holds them, Valkey applies them; this carries them over."""

from __future__ import annotations

from services.chassis.clock import Clock
from services.ratelimit.buckets import Buckets
from services.ratelimit.flights import Flights
from services.ratelimit.store_override import OverrideStore


class OverrideSource:
    """Brings a company's overrides from the store to the buckets. Older ones never replace newer ones there."""

    def __init__(self, store: OverrideStore, buckets: Buckets, clock: Clock) -> None:
        self._store = store
        self._buckets = buckets
        self._clock = clock
        self._loading: Flights[None] = Flights()

    async def load(self, company_id: int) -> None:
        """Bring what is stored now, once for all who ask meanwhile.

        Raises:
            Unavailable: the database or Valkey is away.
        """
        await self._loading.join(company_id, lambda: self.publish(company_id))

    async def publish(self, company_id: int) -> None:
        """Bring what is stored now: a change that was committed before the call is among it.

        Raises:
            Unavailable: the database or Valkey is away; the change counts from the next load on.
        """
        read = self._clock()
        await self._buckets.set_overrides(company_id, await self._store.read(company_id), read)
