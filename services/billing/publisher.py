"""Tells everybody what billing knows. What is told again is the same again, or newer, never older."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.billing import events
from services.billing.plans import Catalogue, Plan
from services.billing.store_subscription import SubscriptionStore
from services.billing.thresholds import Threshold
from services.billing.totals import Total
from services.chassis import deadline
from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.keyvalue import Bucket
from services.chassis.plans import COMPLETE, company_key, plan_key
from services.chassis.subjects import PLANS, TOTALS

Successor = Callable[[bytes | None], Awaitable[bytes | None]]
"""Answers what is to follow an entry (None: there is none); None if it is to stay."""

_HEAR_SECONDS = 4.0
_RACES = 10
"""How often somebody else may be faster before we give up."""


class Publisher:
    """Each method returns when everybody can hear of it, or raises Unavailable and may be called again."""

    def __init__(self, bus: Bus, subscriptions: SubscriptionStore) -> None:
        self._bus = bus
        self._plans = Bucket(bus, PLANS)
        self._totals = Bucket(bus, TOTALS)
        self._subscriptions = subscriptions

    async def offer(self, catalogue: Catalogue) -> None:
        """Tell of all plans."""
        for plan in catalogue.plans.values():
            await self._offer(plan, default=plan.name == catalogue.default)

    async def epoch(self) -> str:
        """Answer the epoch of the bucket `plans`: what was told to one of another epoch is lost."""
        return (await self._bus.state(PLANS)).epoch

    async def subscription(self, company_id: int, epoch: str) -> None:
        """Tell of a company's subscription as it is stored, and note so.

        Args:
            company_id: whose.
            epoch: the bucket's, as looked up by now.
        """
        revision = 0

        async def stored(_entry: bytes | None) -> bytes | None:
            # Read after the entry that it follows: so it is never older than what another replica has put there.
            nonlocal revision
            subscription = await self._subscriptions.find(company_id)
            if subscription is None:
                return None
            revision = subscription.revision
            return events.subscription_changed(subscription)

        await _succeed(self._plans, company_key(company_id), stored)
        await self._subscriptions.told(company_id, revision, epoch)

    async def heard(self, company_id: int) -> None:
        """Return when every process that follows the plans goes by what was told last of a company's subscription.

        Raises:
            Unavailable: one is not known to do so yet.
        """
        by = deadline.within(_HEAR_SECONDS)
        await self._plans.heard(company_key(company_id), by)

    async def complete(self, epoch: str) -> None:
        """Tell that the bucket `plans` lacks nothing: a company without an entry has never subscribed.

        Raises:
            Unavailable: it is not known to be told, or the bucket is not the one of this epoch any more.
        """
        told = epoch.encode()

        async def lasting(entry: bytes | None) -> bytes | None:
            if await self.epoch() != epoch:
                raise Unavailable("the bucket was made anew meanwhile")
            return None if entry == told else told

        await _succeed(self._plans, COMPLETE, lasting)

    async def total(self, total: Total) -> None:
        """Tell of a company's total, unless one of a later watermark is told already."""

        async def later(entry: bytes | None) -> bytes | None:
            passed = entry is not None and events.told_watermark(entry) >= total.watermark_time
            return None if passed else events.ledger_total(total)

        await _succeed(self._totals, str(total.company_id), later)

    async def threshold(self, threshold: Threshold) -> None:
        """Tell that a company has reached a share of its quota."""
        await self._bus.hand_over([events.quota_reached(threshold)])

    async def _offer(self, plan: Plan, *, default: bool) -> None:
        offered = events.plan_offered(plan, default=default)

        async def changed(entry: bytes | None) -> bytes | None:
            return None if entry == offered else offered

        await _succeed(self._plans, plan_key(plan.name), changed)


async def _succeed(bucket: Bucket, key: str, successor: Successor) -> None:
    """Have an entry followed by its successor, whoever else may be doing the same."""
    for _ in range(_RACES):
        entry = await bucket.get(key)
        value = await successor(entry.value if entry else None)
        if value is None or await bucket.put(key, value, after=entry.sequence if entry else 0):
            return
    raise Unavailable(f"others keep changing {key}")
