"""Tells what was committed and not told: the process that did so was killed, or the bus was away or has lost it.

Only then does it say that the plans are complete: until all is told, that nothing is heard of a company means nothing.
"""

from __future__ import annotations

import asyncio
import logging

from services.billing.plans import Catalogue
from services.billing.publisher import Publisher
from services.billing.store_subscription import SubscriptionStore
from services.billing.store_threshold import ThresholdStore
from services.chassis.errors import Unavailable

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 0.25
_THRESHOLDS_AT_ONCE = 100
_SUBSCRIPTIONS_AT_ONCE = 20

_log = logging.getLogger(__name__)


class LeftBehind:
    """Looks for untold subscriptions and thresholds of all companies each second, as the worker."""

    def __init__(
        self,
        publisher: Publisher,
        subscriptions: SubscriptionStore,
        thresholds: ThresholdStore,
        catalogue: Catalogue,
    ) -> None:
        self._publisher = publisher
        self._subscriptions = subscriptions
        self._thresholds = thresholds
        self._catalogue = catalogue
        self._complete_in: str | None = None
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
            # The first company of a mesh waits for the plans to be complete.
            await self._pause(_RETRY_SECONDS if self._complete_in is None else _LOOK_SECONDS)

    async def tell(self) -> None:
        """Tell what is left.

        Raises:
            Unavailable: not everything could be told.
        """
        epoch = await self._publisher.epoch()
        if epoch == self._complete_in:
            await self._tell_subscriptions(epoch)
        else:
            await self._complete(epoch)
        for threshold in await self._thresholds.untold(limit=_THRESHOLDS_AT_ONCE):
            await self._publisher.threshold(threshold)
            await self._thresholds.told(threshold)

    async def _complete(self, epoch: str) -> None:
        """Tell a bucket that is new to us everything."""
        await self._publisher.offer(self._catalogue)
        await self._tell_subscriptions(epoch)
        await self._publisher.complete(epoch)
        self._complete_in = epoch

    async def _tell_subscriptions(self, epoch: str) -> None:
        while company_ids := await self._subscriptions.untold(epoch, limit=_SUBSCRIPTIONS_AT_ONCE):
            await asyncio.gather(*(self._publisher.subscription(each, epoch) for each in company_ids))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
