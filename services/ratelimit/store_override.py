"""Overrides in PostgreSQL: where they last. A company's changes are committed one after the other, by revision."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database
from services.ratelimit.limits import Name
from services.ratelimit.overrides import Override, Overrides
from services.ratelimit.tables import overrides as table
from services.ratelimit.tables import revisions

# Held until the commit. So whoever reads a revision has read every smaller one of the company.
_lock = sa.text("SELECT pg_advisory_xact_lock(hashtext('ratelimit.overrides'), :company_id)")


class OverrideStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, company_id: int) -> Overrides:
        """Answer all overrides of a company.

        Raises:
            Unavailable: the database is away.
        """
        query = sa.select(table).where(table.c.company_id == company_id)
        async with self._database.transaction(company_id=company_id) as connection:
            rows = (await connection.execute(query)).all()
        known = set(Name)  # a later version may have stored more
        return Overrides(
            revision=max((row.revision for row in rows), default=0),
            values={
                (row.scanner_id, Name(row.name)): row.value
                for row in rows
                if row.value is not None and row.name in known
            },
        )

    async def set(self, override: Override, value: int, now: datetime) -> None:
        """Set an override, in scans.

        Raises:
            Unavailable: the database is away; it may be set.
        """
        async with self._database.transaction(company_id=override.company_id) as connection:
            revision = await _next_revision(connection, override.company_id)
            change = {"value": value, "revision": revision, "change_time": now}
            stored = insert(table).values({**asdict(override), **change})
            await connection.execute(
                stored.on_conflict_do_update(index_elements=[*asdict(override)], set_=change)
            )

    async def take_back(self, override: Override, now: datetime) -> bool:
        """Take an override back, and tell whether there was one.

        Raises:
            Unavailable: the database is away; it may be taken back.
        """
        async with self._database.transaction(company_id=override.company_id) as connection:
            revision = await _next_revision(connection, override.company_id)
            taken = (
                sa.update(table)
                .filter_by(**asdict(override))
                .where(table.c.value.is_not(None))
                .values(value=None, revision=revision, change_time=now)
            )
            return (await connection.execute(taken)).rowcount > 0


async def _next_revision(connection: AsyncConnection, company_id: int) -> int:
    await connection.execute(_lock, {"company_id": company_id})
    revision: int = (await connection.execute(sa.select(revisions.next_value()))).scalar_one()
    return revision
