"""Marks: changes that are committed and not yet published everywhere.

When a mark is due and how long it is claimed is told by the database's clock, the only one that replicas share: by
their own ones, a mark of one whose clock is fast would not be due for the others, nor for itself once it is set right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.changes import Change, Kind
from services.auth.tables import AnyRow, marks, revisions
from services.chassis.database import Database
from services.chassis.identity import PLATFORM

_CLAIM = timedelta(seconds=1)
"""How long a replica keeps a mark to itself: longer than one attempt to publish it takes."""
_COLUMNS = [marks.c[field.name] for field in fields(Change)]
_DUE = marks.c.due_time <= sa.func.now()


async def next_revision(connection: AsyncConnection) -> int:
    """Take the next revision; only while the row it is for is locked, else two changes could swap theirs."""
    return (await connection.execute(sa.select(revisions.next_value()))).scalar_one()


async def mark(connection: AsyncConnection, change: Change, *, after: timedelta = timedelta()) -> None:
    """Note a change for publication, in the transaction that makes it.

    Args:
        connection: the transaction.
        change: what is changed.
        after: how long after the transaction it is to be published.
    """
    row = {column.name: getattr(change, column.name) for column in _COLUMNS}
    row["due_time"] = sa.func.now() + after
    row["claim_time"] = sa.func.now()
    await connection.execute(sa.insert(marks).values(row))


class MarkStore:
    """Hands out marks to publish, and forgets those that are published."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, company_id: int) -> Sequence[Change]:
        """Answer every change of a company that should have been published by now, oldest first."""
        query = sa.select(*_COLUMNS).where(marks.c.company_id == company_id, _DUE)
        async with self._database.transaction(company_id=company_id) as connection:
            rows = await connection.execute(query.order_by(marks.c.revision))
            return [_change(row) for row in rows]

    async def claim(self, *, limit: int) -> Sequence[Change]:
        """Answer changes of any company that nobody has published, oldest first, and keep them for a second.

        Another replica skips them meanwhile; when this one is killed, they are free again after that second.
        """
        free = (
            sa.select(marks.c.company_id, marks.c.change_id)
            .where(_DUE, marks.c.claim_time <= sa.func.now())
            .order_by(marks.c.due_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("free")
        )
        claimed = (
            sa.update(marks)
            .where(marks.c.company_id == free.c.company_id, marks.c.change_id == free.c.change_id)
            .values(claim_time=sa.func.now() + _CLAIM)
            .returning(*_COLUMNS)
        )
        async with self._database.transaction(company_id=PLATFORM) as connection:
            rows = await connection.execute(claimed)
            return sorted((_change(row) for row in rows), key=lambda change: change.revision)

    async def published(self, change: Change) -> None:
        """Forget a change that every cache and every follower has been told of."""
        gone = sa.delete(marks).where(
            marks.c.company_id == change.company_id, marks.c.change_id == change.change_id
        )
        async with self._database.transaction(company_id=change.company_id) as connection:
            await connection.execute(gone)


def _change(row: AnyRow) -> Change:
    values = row._asdict()
    values["kind"] = Kind(values["kind"])
    values["credential_ids"] = tuple(values["credential_ids"])
    return Change(**values)
