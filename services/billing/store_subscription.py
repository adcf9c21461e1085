"""Subscriptions in PostgreSQL, and which of their changes have been told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing import store_threshold
from services.billing.periods import period_of
from services.billing.plans import Catalogue
from services.billing.subscriptions import State, Subscription
from services.billing.tables import AnyRow, revisions, subscriptions, totals
from services.billing.thresholds import reached
from services.chassis.database import Database
from services.chassis.subjects import Meter

_COLUMNS = [subscriptions.c[field.name] for field in fields(Subscription)]


async def plans_of(connection: AsyncConnection, company_ids: Sequence[int]) -> dict[int, str]:
    """Answer the plans of companies; one that never subscribed is left out."""
    query = sa.select(subscriptions.c.company_id, subscriptions.c.plan).where(
        subscriptions.c.company_id == sa.func.any(sa.literal(company_ids, sa.ARRAY(sa.Integer)))
    )
    rows = await connection.execute(query)
    return {row.company_id: row.plan for row in rows}


class SubscriptionStore:
    """Each method is one transaction, in the name of the company it is about; `untold` is for the worker."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    async def find(self, company_id: int) -> Subscription | None:
        """Answer the subscription of a company; None if it never subscribed."""
        async with self._database.transaction(company_id=company_id) as connection:
            row = (await connection.execute(_select(company_id))).one_or_none()
            return None if row is None else _subscription(row)

    async def update(
        self, company_id: int, values: Mapping[str, Any], now: datetime, *, first: Subscription
    ) -> Subscription:
        """Change a subscription and answer it as stored.

        Args:
            company_id: whose.
            values: plan and state, as far as they are to change.
            now: when this happens.
            first: what the company has as long as nothing is stored.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            nowhere = {"published_revision": 0, "published_epoch": ""}
            await connection.execute(_first, {**asdict(first), "change_time": now, **nowhere})
            stored = await _lock(connection, company_id)
            changed = stored.changed(values, now)
            if changed == stored and stored.revision:
                return stored
            changed = await _write(connection, replace(changed, change_time=now))
            await self._note_thresholds(connection, changed, now)
            return changed

    async def untold(self, epoch: str, *, limit: int) -> Sequence[int]:
        """Answer companies whose subscription is not known to have been told.

        Args:
            epoch: that of the bucket: one that was made anew has been told nothing.
            limit: how many to answer at most.
        """
        query = sa.union(_behind.limit(limit), *_elsewhere(epoch, limit)).limit(limit)
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).scalars().all()

    async def told(self, company_id: int, revision: int, epoch: str) -> None:
        """Note that a subscription has been told up to a revision.

        Args:
            company_id: whose.
            revision: its revision.
            epoch: the bucket's, looked up before it was told: should that be another one by now, it is told again.
        """
        news = sa.or_(subscriptions.c.published_revision < revision, subscriptions.c.published_epoch != epoch)
        told = (
            sa.update(subscriptions)
            .where(subscriptions.c.company_id == company_id, news)
            .values(published_revision=revision, published_epoch=epoch)
        )
        async with self._database.transaction(company_id=company_id) as connection:
            await connection.execute(told)

    async def _note_thresholds(
        self, connection: AsyncConnection, subscription: Subscription, now: datetime
    ) -> None:
        """Note what the month's usage means on the plan.

        The ledger adds to the total before it asks for the plan, so its row is locked here: whichever comes second
        sees what the first one has done.
        """
        account = {"company_id": subscription.company_id, "period": period_of(now), "meter": Meter.SCANS}
        quantity = (await connection.execute(_lock_total, account)).scalar_one()
        quota = self._catalogue.scan_quota(subscription.plan)
        at = reached(subscription.company_id, period_of(now), quantity, quota, now)
        await store_threshold.note(connection, at)


_first = insert(subscriptions).on_conflict_do_nothing()
_zero = insert(totals).values(quantity=0)
_lock_total = _zero.on_conflict_do_update(
    index_elements=list(totals.primary_key.columns), set_={"quantity": totals.c.quantity}
).returning(totals.c.quantity)


_behind = sa.select(subscriptions.c.company_id).where(
    subscriptions.c.published_revision < subscriptions.c.revision
)


def _elsewhere(epoch: str, limit: int) -> Iterator[sa.Select[tuple[int]]]:
    """Select subscriptions told to buckets of other epochs: they stand at both ends of the index, however long it is."""
    told = subscriptions.c.published_epoch
    for order in (told.asc(), told.desc()):
        end = sa.select(subscriptions.c.company_id, told).order_by(order).limit(limit).subquery()
        yield sa.select(end.c.company_id).where(end.c.published_epoch != epoch)


def _select(company_id: int) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*_COLUMNS).where(subscriptions.c.company_id == company_id)


async def _lock(connection: AsyncConnection, company_id: int) -> Subscription:
    """Answer a subscription that is there, and keep others from changing it meanwhile."""
    return _subscription((await connection.execute(_select(company_id).with_for_update())).one())


async def _write(connection: AsyncConnection, changed: Subscription) -> Subscription:
    """Store a subscription whose row is locked, under the next revision: else two changes could swap theirs."""
    values = {**asdict(changed), "revision": revisions.next_value()}
    stored = (
        sa.update(subscriptions)
        .where(subscriptions.c.company_id == changed.company_id)
        .values(values)
        .returning(*_COLUMNS)
    )
    return _subscription((await connection.execute(stored)).one())


def _subscription(row: AnyRow) -> Subscription:
    return Subscription(**{**row._asdict(), "state": State(row.state)})
