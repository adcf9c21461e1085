"""The whole ledger, read company by company to be checked: nothing is written, and no statement grows with the years."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.billing.ledger import Entry
from services.billing.tables import AnyRow, ledger, subscriptions, thresholds, totals
from services.billing.thresholds import Threshold
from services.chassis.database import Database
from services.chassis.subjects import Meter

_PAGE = 1_000
_read_only = sa.text("SET TRANSACTION READ ONLY")
_whole = sa.text("SET LOCAL row_security = off")
"""Not what may be seen, but all there is: PostgreSQL refuses a role that would be shown less."""
_ENTRY = [field.name for field in fields(Entry)]


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as stored, and what is stored beside it."""

    entry: Entry
    period: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Sum:
    """A total as stored, and what the ledger's rows add up to."""

    period: str
    meter: str
    stored: int
    added: int


@dataclass(frozen=True, slots=True)
class Month:
    """What is kept of a company's scans in a month."""

    scans: int
    plan: str | None
    """The plan in force; None if the company never subscribed."""
    noted: frozenset[int]
    """The shares of the quota, in percent, that were noted as reached."""


class Books:
    """Each method is one transaction or several, as the worker."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def companies(self) -> AsyncIterator[int]:
        """Answer all companies that the ledger or a total names, in order."""
        company_id = await self._next(None)
        while company_id is not None:
            yield company_id
            company_id = await self._next(company_id)

    async def sums(self, company_id: int) -> Sequence[Sum]:
        """Answer a company's totals beside its ledger, from one snapshot."""
        added = (
            sa.select(ledger.c.period, ledger.c.meter, sa.func.sum(ledger.c.quantity).label("added"))
            .where(ledger.c.company_id == company_id)
            .group_by(ledger.c.period, ledger.c.meter)
            .subquery()
        )
        stored = sa.select(totals).where(totals.c.company_id == company_id).subquery()
        same = sa.and_(stored.c.period == added.c.period, stored.c.meter == added.c.meter)
        query = sa.select(
            sa.func.coalesce(stored.c.period, added.c.period),
            sa.func.coalesce(stored.c.meter, added.c.meter),
            sa.func.coalesce(stored.c.quantity, 0),
            sa.func.coalesce(sa.cast(added.c.added, sa.BigInteger), 0),
        ).select_from(stored.join(added, same, full=True))
        return [Sum(*row) for row in await self._read(query)]

    async def entries(self, company_id: int) -> AsyncIterator[Kept]:
        """Answer all entries of a company."""
        page = (
            sa.select(ledger)
            .where(ledger.c.company_id == company_id)
            .order_by(ledger.c.event_id)
            .limit(_PAGE)
        )
        after = sa.true()
        while True:
            rows = await self._read(page.where(after))
            for row in rows:
                yield _kept(row)
            if len(rows) < _PAGE:
                return
            after = ledger.c.event_id > rows[-1].event_id

    async def month(self, company_id: int, period: str) -> Month:
        """Answer what is kept of a company's scans in a month, from one snapshot."""
        noted = (
            sa.select(sa.func.array_agg(thresholds.c.percent))
            .where(thresholds.c.company_id == company_id, thresholds.c.period == period)
            .scalar_subquery()
        )
        plan = (
            sa.select(subscriptions.c.plan).where(subscriptions.c.company_id == company_id).scalar_subquery()
        )
        quantity = (
            sa.select(totals.c.quantity)
            .where(
                totals.c.company_id == company_id,
                totals.c.period == period,
                totals.c.meter == Meter.SCANS,
            )
            .scalar_subquery()
        )
        ((scans, name, percents),) = await self._read(sa.select(quantity, plan, noted))
        return Month(scans or 0, name, frozenset(percents or ()))

    async def untold_thresholds(self, now: datetime, age: timedelta) -> Sequence[Threshold]:
        """Answer thresholds that were reached so long ago and have not been told."""
        columns = [thresholds.c[field.name] for field in fields(Threshold)]
        query = sa.select(*columns).where(~thresholds.c.published, thresholds.c.reach_time < now - age)
        return [Threshold(**row._asdict()) for row in await self._read(query)]

    async def untold_subscriptions(self, now: datetime, age: timedelta) -> Sequence[int]:
        """Answer companies whose subscription was changed so long ago and is not known to have been told."""
        query = sa.select(subscriptions.c.company_id).where(
            subscriptions.c.published_revision < subscriptions.c.revision,
            subscriptions.c.change_time < now - age,
        )
        return [row.company_id for row in await self._read(query)]

    async def _next(self, after: int | None) -> int | None:
        firsts = [
            sa.select(sa.func.min(table.c.company_id))
            .where(sa.true() if after is None else table.c.company_id > after)
            .scalar_subquery()
            for table in (ledger, totals)
        ]
        ((found,),) = await self._read(sa.select(sa.func.least(*firsts)))
        return None if found is None else int(found)

    async def _read(self, query: sa.Select[*tuple[object, ...]]) -> Sequence[AnyRow]:
        async with self._database.transaction() as connection:
            await connection.execute(_read_only)
            await connection.execute(_whole)
            return (await connection.execute(query)).all()


def _kept(row: AnyRow) -> Kept:
    stored = row._asdict()
    return Kept(Entry(**{name: stored[name] for name in _ENTRY}), row.period, row.digest)
