"""Thresholds in PostgreSQL: a row for each that was reached, until it is told and for ever after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.tables import thresholds
from services.billing.thresholds import Threshold
from services.chassis.database import Database

_COLUMNS = [thresholds.c[field.name] for field in fields(Threshold)]
_add = insert(thresholds).on_conflict_do_nothing().returning(thresholds.c.company_id)


async def note(connection: AsyncConnection, reached: Iterable[Threshold]) -> bool:
    """Note thresholds in the transaction that found them reached, and tell whether one of them was not before."""
    rows = [{**asdict(threshold), "published": False} for threshold in reached]
    return bool(rows and (await connection.execute(_add, rows)).first())


class ThresholdStore:
    """Hands out thresholds to tell, of all companies: for the worker's role."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def untold(self, *, limit: int) -> Sequence[Threshold]:
        """Answer thresholds that are not known to have been told."""
        query = sa.select(*_COLUMNS).where(~thresholds.c.published).limit(limit)
        async with self._database.transaction() as connection:
            return [Threshold(**row._asdict()) for row in await connection.execute(query)]

    async def told(self, threshold: Threshold) -> None:
        """Note that a threshold has been told to everybody."""
        told = sa.update(thresholds).values(published=True)
        for column in thresholds.primary_key.columns:
            told = told.where(column == getattr(threshold, column.name))
        async with self._database.transaction() as connection:
            await connection.execute(told)
