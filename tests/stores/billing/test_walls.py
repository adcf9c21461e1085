"""Companies are kept apart by PostgreSQL itself, whatever a query forgets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from services.billing import tables
from services.billing.store_subscription import SubscriptionStore
from services.billing.subscriptions import State, Subscription
from tests.fakes import billing
from tests.servers.refusals import refused

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
WALLED = [table for table in tables.metadata.sorted_tables if table.name != "watermarks"]


async def populate(app, ledger, catalogue, company_id):
    """Give a company a row in every table."""
    await ledger.append([billing.entry(company_id, quantity=100_000)], NOW)
    first = Subscription(company_id, "starter", State.ACTIVE, NOW)
    await SubscriptionStore(app, catalogue).update(company_id, {}, NOW, first=first)


@pytest.fixture
async def two(app, ledger, catalogue, company_id):
    """Two companies with a row in every table."""
    for each in (company_id, company_id + 1):
        await populate(app, ledger, catalogue, each)
    return company_id, company_id + 1


async def all_rows(db, table, company_id):
    """Read a table as a query does that has forgotten its WHERE."""
    async with db.transaction(company_id=company_id) as connection:
        return (await connection.execute(sa.select(table))).all()


@pytest.mark.parametrize(("role", "bypasses"), [("app", False), ("worker", True)])
async def test_the_roles_are_neither_superusers_nor_owners(app, worker, role, bypasses):
    db = {"app": app, "worker": worker}[role]
    flags = sa.text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    owners = sa.text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'billing'")
    async with db.transaction() as connection:
        assert tuple((await connection.execute(flags)).one()) == (False, bypasses, False)
        assert set((await connection.execute(owners)).scalars()) == {"billing_owner"}


async def test_every_tenants_table_has_its_wall_forced(superuser):
    query = sa.text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
        "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'billing' AND relkind IN ('r', 'p')"
    )
    async with superuser.transaction() as connection:
        walled = dict(map(tuple, await connection.execute(query)))
    assert {name for name, forced in walled.items() if not forced} == {
        "watermarks",
        "attempts",
        "alembic_version",
    }
    assert len(walled) == 3 + 9 * len(WALLED)


async def test_the_tables_are_those_the_queries_know(superuser):
    query = sa.text(
        "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns "
        "WHERE table_schema = 'billing'"
    )
    async with superuser.transaction() as connection:
        there = {tuple(row) for row in await connection.execute(query)}
    known = {
        (table.name, column.name, column.nullable)
        for table in tables.metadata.sorted_tables
        for column in table.columns
    }
    names = {table.name for table in tables.metadata.sorted_tables}
    assert known == {row for row in there if row[0] in names}


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_a_query_without_where_shows_nothing_of_others(app, two, table):
    for company_id in two:
        assert {row.company_id for row in await all_rows(app, table, company_id)} == {company_id}


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
@pytest.mark.parametrize("nobody", [None, 0])
async def test_without_a_company_nothing_is_shown(app, two, table, nobody):
    assert await all_rows(app, table, nobody) == []


@pytest.mark.parametrize(
    "table", [tables.subscriptions, tables.totals, tables.thresholds], ids=lambda table: table.name
)
async def test_another_companys_row_cannot_be_written(app, two, table):
    mine, other = two
    (row, *_) = await all_rows(app, table, other)
    with refused("row-level security"):
        async with app.transaction(company_id=mine) as connection:
            await connection.execute(sa.insert(table).values(row._asdict()))


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_a_partition_cannot_be_asked_past_the_wall(app, company_id, table):
    partition = sa.table(f"{table.name}_0", schema="billing")
    with refused("permission denied"):
        async with app.transaction(company_id=company_id) as connection:
            await connection.execute(sa.select(sa.text("*")).select_from(partition))


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize("statement", [sa.update(tables.ledger).values(quantity=1), sa.delete(tables.ledger)])
async def test_the_ledger_cannot_be_rewritten(app, worker, company_id, role, statement):
    db = {"app": app, "worker": worker}[role]
    with refused("permission denied"):
        async with db.transaction(company_id=company_id) as connection:
            await connection.execute(statement)
