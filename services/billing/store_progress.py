"""The watermark in PostgreSQL, and whose totals are to be told since it moved: for the worker's role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.billing.periods import period_of
from services.billing.store_usage import certain
from services.billing.tables import AnyRow, ledger, totals, watermarks
from services.billing.totals import Total
from services.chassis.database import Database
from services.chassis.subjects import Meter

_OVERLAP = timedelta(seconds=30)
"""How far a look for late entries goes back behind the last one: longer than a transaction, or two clocks, may take."""


@dataclass(frozen=True, slots=True)
class Untold:
    """What has changed since totals were told last."""

    watermark_time: datetime
    company_ids: Sequence[int]


class ProgressStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def advance(self, to: datetime) -> bool:
        """Move the watermark on, never back, and tell whether it has moved."""
        moved = sa.update(watermarks).where(watermarks.c.watermark_time < to).values(watermark_time=to)
        async with self._database.transaction() as connection:
            return bool((await connection.execute(moved)).rowcount)

    async def untold(self, epoch: str) -> Untold | None:
        """Answer whose totals are to be told; None if the watermark has not moved since that was done last.

        Args:
            epoch: that of the bucket: one that was made anew has been told nothing.
        """
        async with self._database.transaction() as connection:
            row = (await connection.execute(sa.select(watermarks))).one()
            anew = row.told_epoch != epoch
            if row.told_watermark_time >= row.watermark_time and not anew:
                return None
            rows = await connection.execute(_all(row) if anew else _changed(row))
            return Untold(row.watermark_time, [each.company_id for each in rows])

    async def totals(self, company_ids: Sequence[int], until: datetime, now: datetime) -> list[Total]:
        """Answer the totals of companies in the month of the watermark."""
        period = period_of(until)
        some = sa.func.any(sa.literal(company_ids, sa.ARRAY(sa.Integer)))
        async with self._database.transaction() as connection:
            rows = await connection.execute(certain(until, period).where(totals.c.company_id == some))
            quantities = {row.company_id: row.quantity for row in rows}
        return [Total(each, period, quantities.get(each, 0), until, now) for each in company_ids]

    async def told(self, watermark_time: datetime, now: datetime, epoch: str) -> None:
        """Note that all totals have been told that changed up to a watermark, looked for at `now`.

        Args:
            watermark_time: the watermark.
            now: when that was.
            epoch: the bucket's, looked up before they were told.
        """
        news = sa.or_(watermarks.c.told_watermark_time < watermark_time, watermarks.c.told_epoch != epoch)
        told = (
            sa.update(watermarks)
            .where(news)
            .values(told_watermark_time=watermark_time, told_time=now, told_epoch=epoch)
        )
        async with self._database.transaction() as connection:
            await connection.execute(told)


def _all(row: AnyRow) -> sa.Select[tuple[int]]:
    """Select the companies with scans in the month of the watermark, or in one that it has not come to yet."""
    current = totals.c.period >= period_of(row.watermark_time)
    return sa.select(totals.c.company_id).where(totals.c.meter == Meter.SCANS, current).distinct()


def _changed(row: AnyRow) -> sa.CompoundSelect[tuple[int]]:
    """Select the companies with entries that the watermark has passed since, or that came late."""
    passed = ledger.c.cell_time.between(row.told_watermark_time, row.watermark_time)
    late = sa.and_(
        ledger.c.record_time >= row.told_time - _OVERLAP, ledger.c.cell_time < row.told_watermark_time
    )
    scans = sa.select(ledger.c.company_id).where(ledger.c.meter == Meter.SCANS)
    return sa.union(scans.where(passed), scans.where(late))
