from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.auth.sessions import LIFETIME, RefreshTokens, Verdict
from services.auth.store_session import SessionStore
from services.auth.store_user import UserStore
from services.auth.tables import sessions
from services.auth.users import NewUser
from services.chassis import database
from services.chassis.identity import Role
from services.chassis.ids import uuid7
from tests.servers.polling import eventually

TOKENS = RefreshTokens(b"p" * 32)


@pytest.fixture
async def session(db, company_id, entry):
    new = NewUser(company_id, f"{uuid7()}@example.com", Role.ADMIN, "hash")
    user = await UserStore(db).create(new, entry)
    return await SessionStore(db).create(company_id, user.user_id, entry)


@pytest.fixture
async def superuser(postgres):
    async with database.connected(postgres.url("postgres"), pool_size=1) as connected:
        yield connected


async def test_who_shows_a_token_while_the_session_is_renewed_sees_it_renewed(db, session, superuser, clock):
    """Else the session would fall back to a generation it has left, and its holder be taken for a thief."""

    async def waiting():
        async with superuser.transaction() as connection:
            query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(await connection.scalar(query))

    async with db.transaction(company_id=session.company_id) as connection:
        this = (sessions.c.company_id == session.company_id, sessions.c.session_id == session.session_id)
        await connection.execute(sa.update(sessions).where(*this).values(generation=3))
        shown = TOKENS.read(TOKENS.write(session))
        showing = asyncio.create_task(SessionStore(db).show(shown, clock()))
        await eventually(waiting, "the one who shows the token to wait")
    verdict, after = await showing
    assert (verdict, after.generation) == (Verdict.END, 3)


async def test_a_session_that_is_over_is_forgotten_when_its_user_signs_in_again(db, session, entry, clock):
    store = SessionStore(db)
    assert await store.get(session.company_id, session.session_id, clock())
    clock.advance(LIFETIME + timedelta(seconds=1))
    assert await store.get(session.company_id, session.session_id, clock()) is None
    new = await store.create(session.company_id, session.user_id, replace(entry, time=clock()))
    async with db.transaction(company_id=session.company_id) as connection:
        kept = (await connection.execute(sa.select(sessions.c.session_id))).scalars().all()
    assert kept == [new.session_id]
