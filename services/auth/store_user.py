"""Users in PostgreSQL, and the emails by which they are found when they sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth import audit, store_audit, store_company, store_session, users
from services.auth.changes import Change, Kind
from services.auth.store_mark import mark, next_revision
from services.auth.tables import AnyRow, emails, sessions
from services.auth.tables import users as table
from services.auth.users import EmailTaken, NewUser, Status, User, UserNotFound
from services.chassis.database import Database
from services.chassis.identity import PLATFORM, Role
from services.chassis.ids import uuid7
from services.chassis.paging import Page

_BOOTSTRAP_LOCK = 0x5CA1AB1E
"""Any number that nothing else in this database locks."""


class UserStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewUser, entry: audit.Entry) -> User:
        """Store a new user, ACTIVE.

        Raises:
            CompanyNotFound: there is no such company.
            EmailTaken: some company has a user with this email.
        """
        async with self._database.transaction(company_id=new.company_id) as connection:
            await store_company.region_of(connection, new.company_id)
            return await _insert(connection, new, entry)

    async def bootstrap(self, new: NewUser, entry: audit.Entry) -> bool:
        """Store the first platform admin, and tell whether there was none before.

        Raises:
            EmailTaken: some company has a user with this email.
        """
        async with self._database.transaction(company_id=PLATFORM) as connection:
            # Two at once come one after the other, and the second one finds the first one's admin.
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_BOOTSTRAP_LOCK)))
            if await _has_platform_admin(connection):
                return False
            await _insert(connection, new, entry)
            return True

    async def has_platform_admin(self) -> bool:
        """Tell whether the platform has an admin already."""
        async with self._database.transaction(company_id=PLATFORM) as connection:
            return await _has_platform_admin(connection)

    async def list(self, company_id: int, page: Page[UUID]) -> Sequence[User]:
        """Answer a page of a company's users, newest first, and one more if there are more."""
        query = sa.select(table).where(table.c.company_id == company_id)
        if page.after is not None:
            query = query.where(table.c.user_id < page.after)
        async with self._database.transaction(company_id=company_id) as connection:
            rows = await connection.execute(query.order_by(table.c.user_id.desc()).limit(page.size + 1))
            return [_user(row) for row in rows]

    async def update(
        self, company_id: int, user_id: UUID, values: Mapping[str, Any], entry: audit.Entry
    ) -> User:
        """Change a user's `role`, `status` or `password_hash`.

        Raises:
            UserNotFound: the company has none with this id.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            row = await _lock(connection, company_id, user_id)
            if values:
                row = await _update(connection, row, values, entry.time)
                await store_audit.write(connection, entry, company_id=company_id, resource_id=user_id)
            return _user(row)


async def _has_platform_admin(connection: AsyncConnection) -> bool:
    admins = sa.exists().where(table.c.company_id == PLATFORM, table.c.role == Role.PLATFORM_ADMIN)
    return bool(await connection.scalar(sa.select(admins)))


async def _insert(connection: AsyncConnection, new: NewUser, entry: audit.Entry) -> User:
    user_id = uuid7()
    await _take_email(connection, new, user_id)
    row = {
        "company_id": new.company_id,
        "user_id": user_id,
        "email": new.email,
        "role": new.role,
        "status": Status.ACTIVE,
        "password_hash": new.password_hash,
        "create_time": entry.time,
    }
    stored = (await connection.execute(sa.insert(table).values(row).returning(table))).one()
    await mark(connection, _change(stored, entry.time, created=True))
    await store_audit.write(connection, entry, company_id=new.company_id, resource_id=user_id)
    return _user(stored)


async def _take_email(connection: AsyncConnection, new: NewUser, user_id: UUID) -> None:
    taking = insert(emails).values(email=new.email, company_id=new.company_id, user_id=user_id)
    taken = await connection.execute(taking.on_conflict_do_nothing().returning(emails.c.user_id))
    if taken.one_or_none() is None:
        raise EmailTaken


async def _lock(connection: AsyncConnection, company_id: int, user_id: UUID) -> AnyRow:
    query = sa.select(table).where(table.c.company_id == company_id, table.c.user_id == user_id)
    row: AnyRow | None = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()
    if row is None:
        raise UserNotFound(str(user_id))
    return row


async def _update(
    connection: AsyncConnection, before: AnyRow, values: Mapping[str, Any], now: datetime
) -> AnyRow:
    changed = (
        sa.update(table)
        .where(table.c.company_id == before.company_id, table.c.user_id == before.user_id)
        .values({**values, "revision": await next_revision(connection)})
    )
    row: AnyRow = (await connection.execute(changed.returning(table))).one()
    await mark(connection, _change(row, now))
    if users.ends_sessions(values):
        await store_session.end(connection, row.company_id, sessions.c.user_id == row.user_id, now)
    return row


def _change(row: AnyRow, now: datetime, *, created: bool = False) -> Change:
    return Change(
        change_id=uuid7(),
        kind=Kind.USER,
        company_id=row.company_id,
        revision=row.revision,
        change_time=now,
        holder_id=str(row.user_id),
        active=row.status == Status.ACTIVE,
        created=created,
    )


def _user(row: AnyRow) -> User:
    return User(
        company_id=row.company_id,
        user_id=row.user_id,
        email=row.email,
        role=Role(row.role),
        status=Status(row.status),
        create_time=row.create_time,
    )
