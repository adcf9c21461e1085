"""Deletes what nobody needs any more, in bounded batches; replicas that meet leave the work to one of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from services.chassis.database import Database

BATCH = 5_000
"""Rows of one transaction: well within a statement's 5 s."""

_ALONE = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('ingest.housekeeping.' || :kind))")
_OLD_IDS = sa.text("SELECT EXISTS (SELECT FROM ingest.scan_ids WHERE accept_time < :limit)")
_FENCE = sa.text("SELECT pg_advisory_xact_lock(hashtext('ingest.floors'))")
_RAISE_FLOOR = sa.text("""
    INSERT INTO ingest.floors AS there (epoch, first_sequence, before_time)
    VALUES (:epoch, :first_sequence, :before_time)
    ON CONFLICT (epoch) DO UPDATE SET
        first_sequence = greatest(there.first_sequence, excluded.first_sequence),
        before_time = greatest(there.before_time, excluded.before_time)
""")
_PURGE_IDS = sa.text("""
    DELETE FROM ingest.scan_ids WHERE (company_id, scan_id) IN (
        SELECT company_id, scan_id FROM ingest.scan_ids
        WHERE accept_time < :limit ORDER BY accept_time LIMIT :batch)
""")
_PURGE_LETTERS = sa.text("""
    DELETE FROM ingest.dead_letters WHERE (company_id, dead_letter_id) IN (
        SELECT company_id, dead_letter_id FROM ingest.dead_letters
        WHERE fail_time < :limit OR consumer = 'ingest_recorder' AND accept_time < :limit LIMIT :batch)
""")
_PURGE_TALLIED = sa.text("""
    DELETE FROM ingest.tallied WHERE event_id IN (
        SELECT event_id FROM ingest.tallied WHERE count_time < :limit ORDER BY count_time LIMIT :batch)
""")
_PURGE_MINUTES = sa.text("""
    DELETE FROM ingest.rollup_minutes WHERE (company_id, minute_time, kind, region) IN (
        SELECT company_id, minute_time, kind, region FROM ingest.rollup_minutes
        WHERE minute_time < :start ORDER BY minute_time LIMIT :batch)
""")
_PURGE_HOURS = sa.text("""
    DELETE FROM ingest.rollup_hours WHERE (company_id, scanner_id, hour_time, kind, region) IN (
        SELECT company_id, scanner_id, hour_time, kind, region FROM ingest.rollup_hours
        WHERE hour_time < :start ORDER BY hour_time LIMIT :batch)
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
    """Each method is one transaction; those that delete tell whether they left some that is to go as well."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_ids_before(self, limit: datetime) -> bool:
        """Tell whether a deduplication row is that old."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(_OLD_IDS, {"limit": limit})).scalar_one())

    async def raise_floor(self, epoch: str, first_sequence: int, before_time: datetime) -> None:
        """Declare the messages below a sequence, with scans accepted before `before_time`, decided for good.

        It is on disk when this returns.

        Raises:
            Unavailable: the database is away, or a recorder does not end its transaction.
        """
        floor = {"epoch": epoch, "first_sequence": first_sequence, "before_time": before_time}
        async with self._database.transaction() as connection:
            await connection.execute(_FENCE)
            await connection.execute(_RAISE_FLOOR, floor)

    async def purge_ids(self, limit: datetime) -> bool:
        """Forget scans accepted before `limit`; only after the floor was raised."""
        return await self._delete("ids", _PURGE_IDS, limit=limit)

    async def purge_letters(self, limit: datetime) -> bool:
        """Delete letters written before `limit`, and the recorder's of scans accepted before: answered or not.

        A replay of the latter takes over the scan's row in the deduplication, which goes by the accept time.
        """
        return await self._delete("letters", _PURGE_LETTERS, limit=limit)

    async def purge_tallied(self, limit: datetime) -> bool:
        """Forget events counted before `limit`."""
        return await self._delete("tallied", _PURGE_TALLIED, limit=limit)

    async def purge_minutes(self, day: date) -> bool:
        """Delete what was counted by the minute before a day."""
        return await self._delete("minutes", _PURGE_MINUTES, start=_bounds(day)["start"])

    async def purge_hours(self, day: date) -> bool:
        """Delete what was counted by the hour before a day."""
        return await self._delete("hours", _PURGE_HOURS, start=_bounds(day)["start"])

    async def companies(self, day: date) -> list[int]:
        """Answer the companies that have scans of a day."""
        async with self._database.transaction() as connection:
            return list((await connection.execute(_COMPANIES, _bounds(day))).scalars())

    async def purge_events(self, company_id: int, day: date) -> bool:
        """Delete scans of a company that were accepted on a day."""
        return await self._delete("events", _PURGE_EVENTS, company_id=company_id, **_bounds(day))

    async def _delete(self, kind: str, statement: sa.TextClause, **values: object) -> bool:
        async with self._database.transaction() as connection:
            if not (await connection.execute(_ALONE, {"kind": kind})).scalar_one():
                return False  # another replica is at it, and stays at it
            deleted = await connection.execute(statement, {**values, "batch": BATCH})
            return deleted.rowcount == BATCH


def _bounds(day: date) -> dict[str, datetime]:
    start = datetime.fromisoformat(f"{day}T00:00Z")
    return {"start": start, "end": start + timedelta(days=1)}
