"""Subscribers: what each company has subscribed to, stored or not, and changing it so that everybody hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.billing.companies import Companies
from services.billing.plans import Catalogue
from services.billing.publisher import Publisher
from services.billing.store_subscription import SubscriptionStore
from services.billing.subscriptions import State, Subscription
from services.chassis.errors import Unavailable


class NotTold(Unavailable):
    """The change is made and will hold, but not everybody is known to have heard of it yet."""

    def __init__(self) -> None:
        super().__init__(
            "the change is made, but not everybody goes by it yet; make it again to learn when they do"
        )


class Subscribers:
    """Answers and changes subscriptions."""

    def __init__(
        self,
        store: SubscriptionStore,
        companies: Companies,
        catalogue: Catalogue,
        publisher: Publisher,
    ) -> None:
        self._store = store
        self._companies = companies
        self._catalogue = catalogue
        self._publisher = publisher

    async def of(self, company_id: int) -> Subscription:
        """Answer what a company has subscribed to: the default plan since it was created, if nothing is stored.

        Raises:
            NotFound: there is no such company.
            Unavailable: the database, or auth if it must be asked, is away.
        """
        stored = await self._store.find(company_id)
        if stored is not None:
            return stored
        created = await self._companies.create_time(company_id)
        return Subscription(company_id, self._catalogue.default, State.ACTIVE, created)

    async def update(self, company_id: int, values: Mapping[str, Any], now: datetime) -> Subscription:
        """Change a subscription, and return when every process that follows the plans goes by it: the next call is.

        Raises:
            NotFound: there is no such company.
            NotTold: it is changed, and everybody will hear of it; done again, it tells whether everybody has.
            Unavailable: the database or auth is away.
        """
        before = await self.of(company_id)
        changed = await self._store.update(company_id, values, now, first=before)
        try:
            await self._publisher.subscription(company_id, await self._publisher.epoch())
            await self._publisher.heard(company_id)
        except Unavailable as error:
            raise NotTold from error
        return changed
