"""Tells what was committed and not told, because the process that did so was killed or the bus was away."""

from __future__ import annotations

import asyncio
import logging

from services.billing.publisher import Publisher
from services.billing.store_subscription import SubscriptionStore
from services.billing.store_threshold import ThresholdStore
from services.chassis.errors import Unavailable

_LOOK_SECONDS = 1.0
_AT_ONCE = 100

_log = logging.getLogger(__name__)


class LeftBehind:
    """Looks for untold subscriptions and thresholds of all companies each second, as the worker."""

    def __init__(
        self, publisher: Publisher, subscriptions: SubscriptionStore, thresholds: ThresholdStore
    ) -> None:
        self._publisher = publisher
        self._subscriptions = subscriptions
        self._thresholds = thresholds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have it look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            self._woken.clear()
            try:
                await self.tell()
            except Unavailable as error:
                _log.warning("something is left to tell", extra={"error": str(error)})
            await self._pause()

    async def tell(self) -> None:
        """Tell what is left.

        Raises:
            Unavailable: not everything could be told.
        """
        for company_id in await self._subscriptions.untold(limit=_AT_ONCE):
            await self._publisher.subscription(company_id)
        for threshold in await self._thresholds.untold(limit=_AT_ONCE):
            await self._publisher.threshold(threshold)
            await self._thresholds.told(threshold)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
