"""Operators' sessions in PostgreSQL."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth import audit, sessions, store_audit, store_company
from services.auth.changes import Change, Kind
from services.auth.sessions import (
    LIFETIME,
    SEED_BYTES,
    PresentedToken,
    RefreshTokenInvalid,
    Session,
    SignInRefused,
    Verdict,
)
from services.auth.store_mark import mark, next_revision
from services.auth.tables import AnyRow, emails, users
from services.auth.tables import sessions as table
from services.auth.users import Status
from services.chassis.database import Database
from services.chassis.identity import Role
from services.chassis.ids import uuid7


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is needed to let a user in, or to let it stay."""

    company_id: int
    user_id: UUID
    role: Role
    user_active: bool
    company_active: bool
    password_hash: str = field(repr=False)


class SessionStore:
    """Each method is one transaction, but for the email that `sign_in` looks up first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, who: SignIn, entry: audit.Entry) -> Session:
        """Store a new session of a user, and forget those of the user that are long over.

        Raises:
            SignInRefused: the password was changed or the user disabled since `who` was read, which took a while.
        """
        row = {
            "company_id": who.company_id,
            "session_id": uuid7(),
            "user_id": who.user_id,
            "seed": secrets.token_bytes(SEED_BYTES),
            "generation": 1,
            "rotate_time": entry.time,
            "expire_time": entry.time + LIFETIME,
        }
        async with self._database.transaction(company_id=who.company_id) as connection:
            # Locked, so that whoever changes the user next finds this session and ends it too.
            if not _same(who, await _user(connection, who.company_id, who.user_id, lock=True)):
                raise SignInRefused
            over = table.c.expire_time < entry.time
            await connection.execute(sa.delete(table).where(*_of_user(who), over))
            stored = await connection.execute(sa.insert(table).values(row).returning(table))
            await store_audit.write(connection, entry, company_id=who.company_id, resource_id=who.user_id)
            return _session(stored.one())

    async def sign_in(self, email: str) -> SignIn | None:
        """Answer whom an email belongs to; None if to nobody."""
        known = sa.select(emails.c.company_id, emails.c.user_id).where(emails.c.email == email)
        async with self._database.transaction() as connection:
            found = (await connection.execute(known)).one_or_none()
        if found is None:
            return None
        async with self._database.transaction(company_id=found.company_id) as connection:
            return await _sign_in(connection, found.company_id, found.user_id)

    async def get(self, company_id: int, session_id: UUID, now: datetime) -> tuple[Session, SignIn] | None:
        """Answer a session and whose it is; None if there is none, or it has ended."""
        async with self._database.transaction(company_id=company_id) as connection:
            row = (await connection.execute(_living(company_id, session_id, now))).one_or_none()
            if row is None:
                return None
            return _session(row), await _sign_in(connection, company_id, row.user_id)

    async def show(self, shown: PresentedToken, entry: audit.Entry) -> tuple[Verdict, Session]:
        """Do to a session what showing this refresh token, which is known to be one of its, does; audit only its end.

        Raises:
            RefreshTokenInvalid: the session has ended.
        """
        async with self._database.transaction(company_id=shown.company_id) as connection:
            # One after the other: of two that show the same token, the second one sees what the first one did.
            query = _living(shown.company_id, shown.session_id, entry.time).with_for_update()
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise RefreshTokenInvalid
            session = _session(row)
            verdict = sessions.judge(session, shown.generation, entry.time)
            if verdict is Verdict.RENEW:
                session = await _renew(connection, session, entry.time)
            if verdict is Verdict.END:
                await _end(connection, session.company_id, session.session_id, entry)
            return verdict, session

    async def end(self, company_id: int, session_id: UUID, entry: audit.Entry) -> None:
        """End a session; one that has ended stays as it is."""
        async with self._database.transaction(company_id=company_id) as connection:
            await _end(connection, company_id, session_id, entry)


async def end(
    connection: AsyncConnection, company_id: int, which: sa.ColumnElement[bool], now: datetime
) -> bool:
    """End those of a company's sessions that `which` says, mark each for publication, and tell if there was one."""
    living = (table.c.company_id == company_id, which, table.c.revoke_time.is_(None))
    locked = await connection.execute(sa.select(table).where(*living).with_for_update())
    rows = locked.all()
    for row in rows:
        revision = await next_revision(connection)
        this = (table.c.company_id == company_id, table.c.session_id == row.session_id)
        await connection.execute(sa.update(table).where(*this).values(revoke_time=now, revision=revision))
        await mark(connection, _change(row, revision, now))
    return bool(rows)


async def _end(connection: AsyncConnection, company_id: int, session_id: UUID, entry: audit.Entry) -> None:
    if await end(connection, company_id, table.c.session_id == session_id, entry.time):
        await store_audit.write(connection, entry, company_id=company_id, resource_id=session_id)


async def _user(connection: AsyncConnection, company_id: int, user_id: UUID, *, lock: bool = False) -> AnyRow:
    query = sa.select(users).where(users.c.company_id == company_id, users.c.user_id == user_id)
    if lock:
        query = query.with_for_update(read=True)
    return (await connection.execute(query)).one()


def _same(who: SignIn, user: AnyRow) -> bool:
    """Tell whether a user's row still says what `who` was let in by."""
    return bool(user.password_hash == who.password_hash and user.status == Status.ACTIVE)


async def _sign_in(connection: AsyncConnection, company_id: int, user_id: UUID) -> SignIn:
    row = await _user(connection, company_id, user_id)
    return SignIn(
        company_id=company_id,
        user_id=user_id,
        role=Role(row.role),
        user_active=row.status == Status.ACTIVE,
        company_active=await store_company.served(connection, company_id),
        password_hash=row.password_hash,
    )


async def _renew(connection: AsyncConnection, session: Session, now: datetime) -> Session:
    this = (table.c.company_id == session.company_id, table.c.session_id == session.session_id)
    renewed = (
        sa.update(table)
        .where(*this)
        .values(generation=session.generation + 1, rotate_time=now, expire_time=now + LIFETIME)
        .returning(table)
    )
    return _session((await connection.execute(renewed)).one())


def _living(company_id: int, session_id: UUID, now: datetime) -> sa.Select[Any]:
    return sa.select(table).where(
        table.c.company_id == company_id,
        table.c.session_id == session_id,
        table.c.revoke_time.is_(None),
        table.c.expire_time > now,
    )


def _of_user(who: SignIn) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.company_id == who.company_id, table.c.user_id == who.user_id)


def _change(row: AnyRow, revision: int, now: datetime) -> Change:
    return Change(
        change_id=uuid7(),
        kind=Kind.SESSION,
        company_id=row.company_id,
        revision=revision,
        change_time=now,
        holder_id=str(row.user_id),
        credential_ids=(str(row.session_id),),
        active=False,
    )


def _session(row: AnyRow) -> Session:
    return Session(
        company_id=row.company_id,
        session_id=row.session_id,
        user_id=row.user_id,
        seed=row.seed,
        generation=row.generation,
        rotate_time=row.rotate_time,
        expire_time=row.expire_time,
    )
