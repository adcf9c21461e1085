"""The audit trail: written by the stores of what it is about, read by its own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth import audit
from services.auth.tables import AnyRow, audit_events
from services.chassis.database import Database
from services.chassis.identity import Role
from services.chassis.ids import uuid7
from services.chassis.paging import Page


async def write(
    connection: AsyncConnection, entry: audit.Entry, *, company_id: int, resource_id: UUID | int
) -> None:
    """Write who makes the change that this transaction makes."""
    await connection.execute(
        sa.insert(audit_events).values(
            company_id=company_id,
            audit_event_id=uuid7(),
            event_time=entry.time,
            user_id=UUID(entry.user_id) if entry.user_id else None,
            role=entry.role,
            method=entry.method,
            resource_id=str(resource_id),
            fields=entry.fields,
            request_id=entry.request_id,
        )
    )


class AuditStore:
    """Reads the trail of a company."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, company_id: int, page: Page[UUID]) -> Sequence[audit.Event]:
        """Answer a page of events, newest first, and one more if there are more."""
        key = audit_events.c.audit_event_id
        query = sa.select(audit_events).where(audit_events.c.company_id == company_id)
        if page.after is not None:
            query = query.where(key < page.after)
        async with self._database.transaction(company_id=company_id) as connection:
            rows = await connection.execute(query.order_by(key.desc()).limit(page.size + 1))
            return [_event(row) for row in rows]


def _event(row: AnyRow) -> audit.Event:
    return audit.Event(
        audit_event_id=row.audit_event_id,
        company_id=row.company_id,
        event_time=row.event_time,
        user_id=row.user_id,
        role=Role(row.role),
        method=row.method,
        resource_id=row.resource_id,
        fields=tuple(row.fields),
    )
