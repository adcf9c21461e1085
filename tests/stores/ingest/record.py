"""What the tables say of one company, for tests to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.chassis.database import Database
from services.ingest import tables


@dataclass(frozen=True)
class Record:
    """Reads above the walls."""

    db: Database
    company_id: int

    async def rows(self, table: sa.Table) -> list[Any]:
        """All of the company's rows of a table."""
        query = sa.select(table).where(table.c.company_id == self.company_id)
        async with self.db.transaction() as connection:
            return list(await connection.execute(query))

    async def stored(self) -> list[str]:
        """The ids of the scans on record, as often as they are there."""
        return sorted(str(row.scan_id) for row in await self.rows(tables.scan_events))

    async def dead(self) -> list[str]:
        """The ids of the dead scans."""
        return sorted(str(row.scan_id) for row in await self.rows(tables.scan_ids) if row.dead)

    async def counted(self) -> tuple[int, int]:
        """How many scans the two rollups have recorded."""
        minutes, hours = await self.rows(tables.rollup_minutes), await self.rows(tables.rollup_hours)
        return sum(row.recorded for row in minutes), sum(row.recorded for row in hours)
