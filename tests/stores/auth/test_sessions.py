from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.auth.sessions import LIFETIME, RefreshTokens, SignInRefused, Verdict
from services.auth.store_session import SessionStore
from services.auth.store_user import UserStore
from services.auth.tables import sessions, users
from services.auth.users import NewUser, Status
from services.chassis.identity import Role
from services.chassis.ids import uuid7
from tests.servers.polling import eventually

TOKENS = RefreshTokens(b"p" * 32)


@pytest.fixture
async def who(db, company_id, entry):
    """What a user is about to be let in by."""
    new = NewUser(company_id, f"{uuid7()}@example.com", Role.ADMIN, "hash")
    await UserStore(db).create(new, entry)
    return await SessionStore(db).sign_in(new.email)


@pytest.fixture
async def session(db, who, entry):
    return await SessionStore(db).create(who, entry)


@pytest.fixture
def waiting(superuser):
    """Tell whether somebody waits for a row."""

    async def asked():
        async with superuser.transaction() as connection:
            query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(await connection.scalar(query))

    return asked


async def kept(db, company_id):
    async with db.transaction(company_id=company_id) as connection:
        return (await connection.execute(sa.select(sessions.c.session_id))).scalars().all()


@pytest.mark.parametrize("change", [{"password_hash": "other"}, {"status": Status.DISABLED}])
async def test_who_may_not_sign_in_any_more_when_the_password_is_checked_gets_no_session(
    db, who, entry, change
):
    await UserStore(db).update(who.company_id, who.user_id, change, entry)
    with pytest.raises(SignInRefused):
        await SessionStore(db).create(who, entry)
    assert not await kept(db, who.company_id)


async def test_no_session_slips_past_a_change_of_the_password_that_is_being_made(db, who, entry, waiting):
    async with db.transaction(company_id=who.company_id) as connection:
        this = (users.c.company_id == who.company_id, users.c.user_id == who.user_id)
        await connection.execute(sa.update(users).where(*this).values(password_hash="other"))
        creating = asyncio.create_task(SessionStore(db).create(who, entry))
        await eventually(waiting, "the one who signs in to wait")
    with pytest.raises(SignInRefused):
        await creating


async def test_who_shows_a_token_while_the_session_is_renewed_sees_it_renewed(db, session, waiting, entry):
    """Else the session would fall back to a generation it has left, and its holder be taken for a thief."""
    async with db.transaction(company_id=session.company_id) as connection:
        this = (sessions.c.company_id == session.company_id, sessions.c.session_id == session.session_id)
        await connection.execute(sa.update(sessions).where(*this).values(generation=3))
        shown = TOKENS.read(TOKENS.write(session))
        showing = asyncio.create_task(SessionStore(db).show(shown, entry))
        await eventually(waiting, "the one who shows the token to wait")
    verdict, after = await showing
    assert (verdict, after.generation) == (Verdict.END, 3)


async def test_a_session_that_is_over_is_forgotten_when_its_user_signs_in_again(
    db, who, session, entry, clock
):
    store = SessionStore(db)
    assert await store.get(session.company_id, session.session_id, clock())
    clock.advance(LIFETIME + timedelta(seconds=1))
    assert await store.get(session.company_id, session.session_id, clock()) is None
    new = await store.create(who, replace(entry, time=clock()))
    assert await kept(db, session.company_id) == [new.session_id]
