"""The record of scans, read: one scan by its id, or many by their accept time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database
from services.ingest.position import Position
from services.ingest.queries import ScanQuery
from services.ingest.records import Dead, Recorded
from services.ingest.tables import AnyRow, dead_letters, scan_ids
from services.ingest.tables import scan_events as table

MAX_PAGE_BYTES = 2 * 1024**2
"""Of scans in a page, less the last one's: with all that is added it stays below the 4 MiB that gRPC clients take."""


class ScanStore:
    """Each method is one transaction."""

    def __init__(self, primary: Database, replica: Database) -> None:
        self._primary = primary
        self._replica = replica

    async def find(self, company_id: int, scan_id: UUID) -> Recorded | Dead | None:
        """Answer what has become of a scan; one that was accepted long ago may be on record and not known here.

        A replica is believed only when it has the scan: whatever else it says may be out of date.
        """
        found = None
        if self._replica is not self._primary:
            found = await self._find(self._replica, company_id, scan_id)
        return found if isinstance(found, Recorded) else await self._find(self._primary, company_id, scan_id)

    async def search(
        self, company_id: int, scan_id: UUID, *, since: datetime, until: datetime
    ) -> Recorded | None:
        """Answer a scan that was accepted from `since` on and before `until`, by looking into every day between."""
        query = sa.select(table).where(
            table.c.company_id == company_id,
            table.c.scan_id == scan_id,
            table.c.accept_time >= since,
            table.c.accept_time < until,
        )
        async with self._primary.transaction(company_id=company_id) as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _recorded(row)

    async def list(self, company_id: int, query: ScanQuery) -> tuple[Sequence[Recorded], bool]:
        """Answer a page of scans, newest first, and whether there are more.

        A page ends early where its scans would become too large for an answer; it has one at least, if there is any.
        """
        listed = _Listed(query.page.size)
        async with self._replica.transaction(company_id=company_id) as connection:
            for low, high in query.windows():
                wanted = _wanted(company_id, query, low, high).limit(listed.limit)
                listed.take((await connection.execute(_within(wanted, listed.room))).all())
                if listed.more:
                    break
        return listed.scans, listed.more

    async def _find(self, database: Database, company_id: int, scan_id: UUID) -> Recorded | Dead | None:
        query = sa.select(scan_ids).where(scan_ids.c.company_id == company_id, scan_ids.c.scan_id == scan_id)
        async with database.transaction(company_id=company_id) as connection:
            known = (await connection.execute(query)).one_or_none()
            if known is None:
                return None
            return await (_dead if known.dead else _living)(connection, known)


class _Listed:
    """A page that is being filled."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._bytes = 0
        self.scans: list[Recorded] = []
        self.more = False
        """Whether there are scans beyond the page."""

    @property
    def limit(self) -> int:
        """How many rows to ask for: what has room, and one that tells whether there are more."""
        return self._size + 1 - len(self.scans)

    @property
    def room(self) -> int:
        """How many bytes to ask for; at least one, which asks for one row."""
        return max(1, MAX_PAGE_BYTES - self._bytes)

    def take(self, rows: Sequence[AnyRow]) -> None:
        """Add what `_within` has found, as far as it fits."""
        self.more = bool(rows) and len(rows) < rows[0].there
        for row in rows:
            if len(self.scans) == self._size or self._bytes >= MAX_PAGE_BYTES:
                self.more = True
                return
            self.scans.append(_recorded(row))
            self._bytes += len(row.content)


async def _living(connection: AsyncConnection, known: AnyRow) -> Recorded | None:
    """Answer a scan by its accept time, which names the one day to look into."""
    query = sa.select(table).where(
        table.c.company_id == known.company_id,
        table.c.accept_time == known.accept_time,
        table.c.scan_id == known.scan_id,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _recorded(row)


async def _dead(connection: AsyncConnection, known: AnyRow) -> Dead | None:
    """Answer the letter of a dead scan; None while that is on its way."""
    letter = dead_letters.c
    query = sa.select(letter.scanner_id, letter.dead_letter_id).where(
        letter.company_id == known.company_id,
        letter.scan_id == known.scan_id,
        letter.message_id == known.message_id.hex,
        letter.index == known.index,
    )
    row = (await connection.execute(query)).first()
    return None if row is None else Dead(row.scanner_id, row.dead_letter_id)


def _wanted(company_id: int, query: ScanQuery, low: datetime, high: datetime) -> sa.Select[*tuple[Any, ...]]:
    """Select what is asked for of the scans that were accepted from `low` on and before `high`, newest first."""
    found = sa.select(table).where(
        table.c.company_id == company_id, table.c.accept_time >= low, table.c.accept_time < high
    )
    for scanner_id in query.scanner_ids:
        found = found.where(table.c.scanner_id == scanner_id)
    if query.kind:
        found = found.where(table.c.kind == query.kind)
    if query.page.after is not None:
        found = found.where(older(table.c.accept_time, table.c.scan_id, query.page.after))
    return found.order_by(table.c.accept_time.desc(), table.c.scan_id.desc())


def older(time: sa.Column[Any], row_id: sa.Column[Any], after: Position) -> sa.ColumnElement[bool]:
    """Tell whether a row stands behind a position in a list that is newest first."""
    last = sa.tuple_(sa.literal(after.time, time.type), sa.literal(after.id, row_id.type))
    return sa.tuple_(time, row_id) < last


def _within(wanted: sa.Select[*tuple[Any, ...]], room: int) -> sa.Select[*tuple[Any, ...]]:
    """Select the first rows of `wanted` that fit into `room` bytes, and beside them how many there are.

    The one that does not fit any more is among them. Their sizes are known without their contents being read.
    """
    each = wanted.subquery("each")
    order = (each.c.accept_time.desc(), each.c.scan_id.desc())
    before = sa.func.sum(sa.func.octet_length(each.c.content)).over(order_by=order, rows=(None, -1))
    counted = sa.select(
        each, sa.func.coalesce(before, 0).label("before"), sa.func.count().over().label("there")
    ).subquery("counted")
    chosen = sa.select(counted).where(counted.c.before < room)
    return chosen.order_by(counted.c.accept_time.desc(), counted.c.scan_id.desc())


def _recorded(row: AnyRow) -> Recorded:
    return Recorded(
        company_id=row.company_id,
        scan_id=row.scan_id,
        scanner_id=row.scanner_id,
        kind=row.kind,
        lane=row.lane,
        region=row.region,
        accept_time=row.accept_time,
        content=row.content,
    )
