"""Dead letters, read for operators; what the bus brings of them is written by the record process."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.paging import Page
from services.chassis.subjects import Lane
from services.ingest.position import Position
from services.ingest.replays import DeadScan, Head
from services.ingest.store_scan import older
from services.ingest.tables import AnyRow
from services.ingest.tables import dead_letters as table

_HEAD = tuple(table.c[field.name] for field in dataclasses.fields(Head))


class LetterStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, company_id: int, page: Page[Position]) -> Sequence[Head]:
        """Answer a page of letters whose scans are dead still, newest first, and one more if there are more."""
        query = sa.select(*_HEAD).where(table.c.company_id == company_id, table.c.revive_time.is_(None))
        if page.after is not None:
            query = query.where(older(table.c.fail_time, table.c.dead_letter_id, page.after))
        query = query.order_by(table.c.fail_time.desc(), table.c.dead_letter_id.desc())
        async with self._database.transaction(company_id=company_id) as connection:
            return [Head(*row) for row in await connection.execute(query.limit(page.size + 1))]

    async def get(self, company_id: int, dead_letter_ids: Sequence[UUID]) -> dict[UUID, Head]:
        """Answer those of the letters that the company has."""
        query = sa.select(*_HEAD).where(*_these(company_id, dead_letter_ids))
        async with self._database.transaction(company_id=company_id) as connection:
            return {row.dead_letter_id: Head(*row) for row in await connection.execute(query)}

    async def dead(self, company_id: int, dead_letter_ids: Sequence[UUID]) -> Sequence[DeadScan]:
        """Answer the scans of those of the letters whose scans are dead still."""
        query = sa.select(table).where(*_these(company_id, dead_letter_ids), table.c.revive_time.is_(None))
        async with self._database.transaction(company_id=company_id) as connection:
            return [_dead(row) for row in await connection.execute(query)]


def _these(company_id: int, dead_letter_ids: Sequence[UUID]) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.company_id == company_id, table.c.dead_letter_id.in_(dead_letter_ids))


def _dead(row: AnyRow) -> DeadScan:
    return DeadScan(
        company_id=row.company_id,
        consumer=row.consumer,
        message_id=row.message_id,
        index=row._asdict()["index"],  # by name it might be the tuple's method
        scanner_id=row.scanner_id,
        region=row.region,
        lane=Lane(row.lane),
        accept_time=row.accept_time,
        content=row.scan,
    )
