"""Deletes what nobody needs any more, in bounded batches; replicas that meet leave the work to one of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database

BATCH = 5_000
"""Rows of one transaction: well within a statement's 5 s."""

_ALONE = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('ingest.housekeeping'))")
_OLD_IDS = sa.text("SELECT EXISTS (SELECT FROM ingest.scan_ids WHERE accept_time < :limit)")
_FENCE = sa.text("SELECT pg_advisory_xact_lock(hashtext('ingest.floors'))")
_RAISE_FLOOR = sa.text("""
    INSERT INTO ingest.floors AS there (epoch, first_sequence) VALUES (:epoch, :first_sequence)
    ON CONFLICT (epoch) DO UPDATE SET first_sequence = greatest(there.first_sequence, excluded.first_sequence)
""")
_PURGE_IDS = sa.text("""
    DELETE FROM ingest.scan_ids WHERE (company_id, scan_id) IN (
        SELECT company_id, scan_id FROM ingest.scan_ids
        WHERE accept_time < :limit ORDER BY accept_time LIMIT :batch)
""")
_PURGE_LETTERS = sa.text("""
    DELETE FROM ingest.dead_letters WHERE (company_id, dead_letter_id) IN (
        SELECT company_id, dead_letter_id FROM ingest.dead_letters
        WHERE fail_time < :limit ORDER BY fail_time LIMIT :batch)
""")
_PURGE_TALLIED = sa.text("""
    DELETE FROM ingest.tallied WHERE event_id IN (
        SELECT event_id FROM ingest.tallied WHERE count_time < :limit ORDER BY count_time LIMIT :batch)
""")
# From company to company by the primary key, however many scans lie between them.
_COMPANIES = sa.text("""
    WITH RECURSIVE there (company_id) AS (
        (SELECT company_id FROM ingest.scan_events WHERE accept_time >= :start AND accept_time < :end
         ORDER BY company_id LIMIT 1)
        UNION ALL
        SELECT (SELECT company_id FROM ingest.scan_events
                WHERE accept_time >= :start AND accept_time < :end AND company_id > there.company_id
                ORDER BY company_id LIMIT 1)
        FROM there WHERE there.company_id IS NOT NULL)
    SELECT company_id FROM there WHERE company_id IS NOT NULL
""")
_PURGE_EVENTS = sa.text("""
    DELETE FROM ingest.scan_events WHERE (company_id, accept_time, scan_id) IN (
        SELECT company_id, accept_time, scan_id FROM ingest.scan_events
        WHERE company_id = :company_id AND accept_time >= :start AND accept_time < :end
        ORDER BY accept_time LIMIT :batch)
    AND accept_time >= :start AND accept_time < :end
""")


class PurgeStore:
    """Each method is one transaction, and answers how many rows it deleted: a full batch means that there are more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_ids_before(self, limit: datetime) -> bool:
        """Tell whether a deduplication row is that old."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(_OLD_IDS, {"limit": limit})).scalar_one())

    async def raise_floor(self, epoch: str, first_sequence: int) -> None:
        """Declare all messages below a sequence decided, for good; it is on disk when this returns.

        Raises:
            Unavailable: the database is away, or a recorder does not end its transaction.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_FENCE)
            await connection.execute(_RAISE_FLOOR, {"epoch": epoch, "first_sequence": first_sequence})

    async def purge_ids(self, limit: datetime) -> int:
        """Forget scans accepted before `limit`; only after the floor was raised."""
        return await self._delete(_PURGE_IDS, limit=limit)

    async def purge_letters(self, limit: datetime) -> int:
        """Delete letters written before `limit`, answered or not."""
        return await self._delete(_PURGE_LETTERS, limit=limit)

    async def purge_tallied(self, limit: datetime) -> int:
        """Forget events counted before `limit`."""
        return await self._delete(_PURGE_TALLIED, limit=limit)

    async def companies(self, day: date) -> list[int]:
        """Answer the companies that have scans of a day."""
        async with self._database.transaction() as connection:
            return list((await connection.execute(_COMPANIES, _bounds(day))).scalars())

    async def purge_events(self, company_id: int, day: date) -> int:
        """Delete scans of a company that were accepted on a day."""
        return await self._delete(_PURGE_EVENTS, company_id=company_id, **_bounds(day))

    async def _delete(self, statement: sa.TextClause, **values: Any) -> int:
        async with self._database.transaction() as connection:
            if not await _alone(connection):
                return 0
            deleted = await connection.execute(statement, {**values, "batch": BATCH})
            return deleted.rowcount


async def _alone(connection: AsyncConnection) -> bool:
    return bool((await connection.execute(_ALONE)).scalar_one())


def _bounds(day: date) -> dict[str, datetime]:
    start = datetime.fromisoformat(f"{day}T00:00Z")
    return {"start": start, "end": start + timedelta(days=1)}
