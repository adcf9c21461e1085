from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.auth import tables
from services.auth.__main__ import bootstrap
from services.auth.settings import BootstrapSettings
from services.auth.store_session import SessionStore
from services.auth.store_user import UserStore
from services.auth.users import EmailTaken, NewUser
from services.chassis import database
from services.chassis.errors import InvalidArgument
from services.chassis.identity import PLATFORM, Role
from services.chassis.ids import uuid7
from services.chassis.settings import Secret


@pytest.fixture
async def no_admins(postgres):
    """Forget the platform's admins, as only a superuser can."""
    async with (
        database.connected(postgres.url("postgres"), pool_size=1) as db,
        db.transaction() as connection,
    ):
        for table in (tables.sessions, tables.users, tables.emails):
            await connection.execute(sa.delete(table).where(table.c.company_id == PLATFORM))


def told(postgres, **fields):
    return BootstrapSettings(
        database_url=postgres.url("auth_app"),
        platform_admin_email=fields.get("email", "Root@example.com"),
        platform_admin_password=Secret(fields.get("password", "correct horse battery")),
    )


async def admins(db):
    async with db.transaction(company_id=PLATFORM) as connection:
        rows = await connection.execute(sa.select(tables.users.c.email))
        return list(rows.scalars())


async def test_the_first_platform_admin_is_made_once(postgres, db, no_admins):
    assert await bootstrap(told(postgres))
    assert not await bootstrap(told(postgres, email="second@example.com"))
    assert await admins(db) == ["root@example.com"]


async def test_first_boots_at_once_make_one_admin(db, no_admins, entry):
    news = [
        NewUser(PLATFORM, f"root{number}@example.com", Role.PLATFORM_ADMIN, "hash") for number in range(8)
    ]
    made = await asyncio.gather(*(UserStore(db).bootstrap(new, entry) for new in news))
    assert sorted(made) == [False] * 7 + [True]
    assert len(await admins(db)) == 1


async def test_an_admin_made_at_first_boot_can_sign_in(postgres, db, no_admins):
    await bootstrap(told(postgres))
    who = await SessionStore(db).sign_in("root@example.com")
    assert (who.company_id, who.role, who.user_active, who.company_active) == (
        PLATFORM,
        Role.PLATFORM_ADMIN,
        True,
        True,
    )


@pytest.mark.parametrize("fields", [{"password": "short"}, {"email": "nonsense"}])
async def test_a_first_admin_with_a_bad_email_or_password_is_refused(postgres, db, no_admins, fields):
    with pytest.raises(InvalidArgument):
        await bootstrap(told(postgres, **fields))
    assert await admins(db) == []


async def test_of_two_users_who_take_an_email_at_once_one_gets_it(db, company_id, entry):
    email = f"{uuid7()}@example.com"
    store = UserStore(db)
    creating = [store.create(NewUser(company_id, email, Role.VIEWER, "hash"), entry) for _ in range(2)]
    outcomes = await asyncio.gather(*creating, return_exceptions=True)
    assert sorted(isinstance(outcome, EmailTaken) for outcome in outcomes) == [False, True]
