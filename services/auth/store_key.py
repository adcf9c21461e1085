"""API keys in PostgreSQL. Whoever changes keys has locked their scanner's row first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.changes import Change, Kind
from services.auth.keys import SealedKey
from services.auth.scanners import ApiKey
from services.auth.store_mark import mark, next_revision
from services.auth.tables import AnyRow
from services.auth.tables import api_keys as table
from services.chassis.ids import uuid7


async def insert(connection: AsyncConnection, scanner_id: UUID, key: SealedKey, now: datetime) -> None:
    """Store a key of a scanner."""
    await connection.execute(
        sa.insert(table).values(
            company_id=key.company_id,
            key_id=uuid7(),
            scanner_id=scanner_id,
            digest=key.digest,
            slow_hash=key.slow_hash,
            create_time=now,
        )
    )


async def living(
    connection: AsyncConnection, company_id: int, scanner_id: UUID, now: datetime
) -> Sequence[ApiKey]:
    """Answer a scanner's keys that still work, newest first."""
    rows = await connection.execute(
        sa.select(table).where(*_living(company_id, scanner_id, now)).order_by(table.c.key_id.desc())
    )
    return [ApiKey(row.key_id, row.create_time, row.last_used_time, row.expire_time) for row in rows]


async def revoke(connection: AsyncConnection, scanner: AnyRow, now: datetime) -> int:
    """End a scanner's keys now, mark that for publication, and answer how many there were."""
    return await _end(connection, scanner, {"revoke_time": now}, now)


async def retire(connection: AsyncConnection, scanner: AnyRow, overlap: timedelta, now: datetime) -> None:
    """Let a scanner's keys work for `overlap` more, no longer than they would have; their end is marked for then.

    Those who have cached them must learn of their end as well: a change of the scanner itself tells them.
    """
    end = now + overlap
    ends = sa.func.least(sa.func.coalesce(table.c.expire_time, end), end)
    await _end(connection, scanner, {"expire_time": ends}, now, after=overlap)


async def _end(
    connection: AsyncConnection,
    scanner: AnyRow,
    values: dict[str, Any],
    now: datetime,
    *,
    after: timedelta = timedelta(),
) -> int:
    revision = await next_revision(connection)
    ended = (
        sa.update(table)
        .where(*_living(scanner.company_id, scanner.scanner_id, now))
        .values({**values, "revision": revision})
        .returning(table.c.key_id)
    )
    key_ids = (await connection.execute(ended)).scalars().all()
    if key_ids:
        change = Change(
            change_id=uuid7(),
            kind=Kind.API_KEYS,
            company_id=scanner.company_id,
            revision=revision,
            change_time=now,
            holder_id=str(scanner.scanner_id),
            credential_ids=tuple(map(str, key_ids)),
            active=False,
        )
        await mark(connection, change, after=after)
    return len(key_ids)


def _living(company_id: int, scanner_id: UUID, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.company_id == company_id,
        table.c.scanner_id == scanner_id,
        table.c.revoke_time.is_(None),
        sa.or_(table.c.expire_time.is_(None), table.c.expire_time > now),
    )
