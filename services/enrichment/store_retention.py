"""Deletes results that nobody may look up any more, bounded at a time; one replica at a time does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.chassis.database import Database
from services.enrichment.tables import results as table

_BATCH = 2_000
_try_lock = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('enrichment.retention'))")

# Jumps from company to company in the index, instead of reading every row of each.
_COMPANIES = sa.text(
    "WITH RECURSIVE found AS ("
    " (SELECT company_id FROM enrichment.results ORDER BY company_id LIMIT 1)"
    " UNION ALL"
    " SELECT (SELECT next.company_id FROM enrichment.results next WHERE next.company_id > found.company_id"
    "         ORDER BY next.company_id LIMIT 1)"
    " FROM found WHERE found.company_id IS NOT NULL"
    ") SELECT company_id FROM found WHERE company_id IS NOT NULL"
)


class RetentionStore:
    """Each method is one transaction, of the worker."""

    def __init__(self, database: Database, *, batch: int = _BATCH) -> None:
        """Delete `batch` rows at most in one transaction: others may have to wait for it."""
        self._database = database
        self.batch = batch

    async def companies(self) -> Sequence[int]:
        """Answer the companies that have results."""
        async with self._database.transaction() as connection:
            return list((await connection.execute(_COMPANIES)).scalars())

    async def delete(self, company_id: int, *, accepted_before: datetime, enriched_before: datetime) -> int:
        """Delete up to `batch` results of a company, the oldest first, and answer how many; none while another does.

        Args:
            company_id: whose.
            accepted_before: the beginning of the retention.
            enriched_before: younger results stay: their events may still be on their way, to be derived from them.
        """
        async with self._database.transaction() as connection:
            if not (await connection.execute(_try_lock)).scalar_one():
                return 0
            old = _old(company_id, accepted_before, enriched_before).limit(self.batch)
            deleted = sa.delete(table).where(table.c.company_id == company_id, table.c.scan_id.in_(old))
            return (await connection.execute(deleted)).rowcount


def _old(company_id: int, accepted_before: datetime, enriched_before: datetime) -> sa.Select[tuple[UUID]]:
    return (
        sa.select(table.c.scan_id)
        .where(table.c.company_id == company_id, table.c.accept_time < accepted_before)
        .where(table.c.enrich_time < enriched_before)
        .order_by(table.c.accept_time)
    )
