"""Companies are kept apart by PostgreSQL itself, whatever a query forgets."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.auth import keys, tables
from services.auth.keys import Keyring
from services.auth.scanners import Quota
from services.auth.store_company import CompanyStore
from services.auth.store_scanner import ScannerStore
from services.auth.store_session import SessionStore
from services.auth.store_user import UserStore
from services.auth.users import NewUser
from services.chassis import database
from services.chassis.identity import PLATFORM, Role
from services.chassis.ids import uuid7
from tests.servers.refusals import refused

WALLED = [table for table in tables.metadata.sorted_tables if table.name != "emails"]


@pytest.fixture
async def superuser(postgres):
    async with database.connected(postgres.url("postgres")) as connected:
        yield connected


async def populate(db, entry):
    """Make a company that has a row in every table."""
    values = {"display_name": "Acme", "region": "local", "allowed_cidrs": ()}
    company_id = (await CompanyStore(db).create(values, entry)).company_id
    new = NewUser(company_id, f"{uuid7()}@example.com", Role.ADMIN, "hash")
    await UserStore(db).create(new, entry)
    sessions = SessionStore(db)
    await sessions.create(await sessions.sign_in(new.email), entry)
    key = await keys.seal(Keyring(b"pepper").mint(company_id))
    fields = {"display_name": "Gate", "type": "dock", "location": "", "firmware_version": ""}
    await ScannerStore(db).register(fields, key, Quota(), entry)
    return company_id


async def all_rows(db, table, company_id):
    """Read a table as a query does that has forgotten its WHERE."""
    async with db.transaction(company_id=company_id) as connection:
        return (await connection.execute(sa.select(table))).all()


async def test_the_service_is_neither_superuser_nor_owner_nor_above_the_walls(db):
    async with db.transaction() as connection:
        row = (
            await connection.execute(
                sa.text(
                    "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
                )
            )
        ).one()
        owners = (
            await connection.execute(
                sa.text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'auth'")
            )
        ).scalars()
        assert tuple(row) == (False, False, False)
        assert set(owners) == {"auth_owner"}


async def test_every_table_but_emails_has_its_wall_forced(superuser):
    async with superuser.transaction() as connection:
        rows = await connection.execute(
            sa.text(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
                "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'auth' AND relkind IN ('r', 'p')"
            )
        )
        walled = dict(map(tuple, rows))
    open_tables = {name for name, forced in walled.items() if not forced}
    assert open_tables == {"emails", "alembic_version"}


async def test_the_tables_are_those_the_queries_know(superuser):
    async with superuser.transaction() as connection:
        rows = await connection.execute(
            sa.text(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns "
                "WHERE table_schema = 'auth'"
            )
        )
        there = {tuple(row) for row in rows}
    known = {
        (table.name, column.name, column.nullable)
        for table in tables.metadata.sorted_tables
        for column in table.columns
    }
    names = {table.name for table in tables.metadata.sorted_tables}
    assert known == {row for row in there if row[0] in names}


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_a_query_without_where_shows_nothing_of_others(db, entry, table):
    mine, other = await populate(db, entry), await populate(db, entry)
    shown = await all_rows(db, table, mine)
    assert {row.company_id for row in shown} == {mine}
    assert {row.company_id for row in await all_rows(db, table, other)} == {other}


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_without_a_company_nothing_is_shown(db, entry, table):
    await populate(db, entry)
    assert await all_rows(db, table, None) == []


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_the_platform_sees_all_companies_and_marks_and_nothing_else(db, entry, table):
    company_id = await populate(db, entry)
    shown = {row.company_id for row in await all_rows(db, table, PLATFORM)}
    assert (company_id in shown) == (table.name in {"companies", "marks"})


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_another_companys_row_cannot_be_written(db, entry, table):
    mine, other = await populate(db, entry), await populate(db, entry)
    (row, *_) = await all_rows(db, table, other)
    with refused("row-level security"):
        async with db.transaction(company_id=mine) as connection:
            await connection.execute(sa.insert(table).values(row._asdict()))


@pytest.mark.parametrize("table", [t for t in WALLED if t.name != "companies"], ids=lambda table: table.name)
async def test_a_partition_cannot_be_asked_past_the_wall(db, entry, table):
    company_id = await populate(db, entry)
    with refused("permission denied"):
        async with db.transaction(company_id=company_id) as connection:
            await connection.execute(
                sa.select(sa.text("*")).select_from(sa.table(f"{table.name}_0", schema="auth"))
            )


@pytest.mark.parametrize(
    "statement", [sa.update(tables.audit_events).values(role="x"), sa.delete(tables.audit_events)]
)
async def test_the_trail_cannot_be_rewritten(db, company_id, statement):
    with refused("permission denied"):
        async with db.transaction(company_id=company_id) as connection:
            await connection.execute(statement)
