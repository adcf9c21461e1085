"""What the ledger says of one company: for requests, in that company's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.billing.tables import ledger, totals, watermarks
from services.billing.totals import Total
from services.chassis.database import Database
from services.chassis.subjects import Meter

_watermark = sa.select(watermarks.c.watermark_time).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Counted:
    """What is in the ledger of a company's month."""

    quantities: Mapping[str, int]
    """By meter; those that were used."""
    as_of_time: datetime
    """Everything accepted before is counted."""


class UsageStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counted(self, company_id: int, period: str) -> Counted:
        """Answer what a company has used in a month, as far as the ledger knows."""
        query = sa.select(totals.c.meter, totals.c.quantity).where(
            totals.c.company_id == company_id, totals.c.period == period
        )
        async with self._database.transaction(company_id=company_id) as connection:
            # First: whatever it has passed by then, a younger statement sees.
            as_of_time = (await connection.execute(sa.select(watermarks.c.watermark_time))).scalar_one()
            rows = await connection.execute(query)
            return Counted({row.meter: row.quantity for row in rows}, as_of_time)

    async def total(self, company_id: int, period: str, now: datetime) -> Total:
        """Answer how much of a company's month is in the ledger for certain."""
        # One statement, one snapshot: what the watermark has passed in it was committed before, so it is in it as well.
        sums = certain(_watermark, period).where(totals.c.company_id == company_id).subquery()
        query = sa.select(watermarks.c.watermark_time, sums.c.quantity).outerjoin_from(
            watermarks, sums, sa.true()
        )
        async with self._database.transaction(company_id=company_id) as connection:
            row = (await connection.execute(query)).one()
            return Total(company_id, period, row.quantity or 0, row.watermark_time, now)


def certain(until: datetime | sa.ScalarSelect[datetime], period: str) -> sa.Select[tuple[int, int]]:
    """Select companies and their scans of a month that were accepted before a time.

    The total less what came later: that is what was accepted within seconds, however long the month.
    """
    later = (
        sa.select(sa.func.coalesce(sa.func.sum(ledger.c.quantity), 0))
        .where(
            ledger.c.company_id == totals.c.company_id,
            ledger.c.meter == totals.c.meter,
            ledger.c.cell_time >= until,
            ledger.c.period == totals.c.period,
        )
        .scalar_subquery()
    )
    quantity = sa.cast(totals.c.quantity - later, sa.BigInteger).label("quantity")
    return sa.select(totals.c.company_id, quantity).where(
        totals.c.period == period, totals.c.meter == Meter.SCANS
    )
