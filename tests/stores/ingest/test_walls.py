"""Companies are kept apart by PostgreSQL itself, whatever a query forgets; each role may do what it must, no more."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.ingest import dead_letters, tables
from services.ingest.store_dead_letter import DeadLetterStore
from tests.fakes.scans import scan
from tests.servers.refusals import refused
from tests.stores.ingest.queues import NOW, submission

OPEN = {"tallied", "floors", "attempts", "alembic_version"}
WALLED = [table for table in tables.metadata.sorted_tables if table.name not in OPEN]


@pytest.fixture
async def populated(recorder, queues, db, company_id):
    """Two companies that have a row in every table."""
    other = company_id + 20_000
    for company in (company_id, other):
        first = scan(data="1")
        await recorder.handle(
            [queues.accept(submission(company, first, scan(scan_id=first.scan_id, data="2")))]
        )
    letters = map(dead_letters.row, queues.published.letters())
    await DeadLetterStore(db).add(list(letters))
    return company_id, other


async def all_rows(db, table, company_id):
    """Read a table as a query does that has forgotten its WHERE."""
    async with db.transaction(company_id=company_id) as connection:
        return (await connection.execute(sa.select(table))).all()


async def test_the_roles_are_no_more_than_they_should_be(superuser):
    async with superuser.transaction() as connection:
        rows = await connection.execute(
            sa.text(
                "SELECT rolname, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname LIKE 'ingest_%'"
            )
        )
        flags = {name: flags for name, *flags in rows}
    assert flags == {
        "ingest_owner": [False, False, False],
        "ingest_app": [False, False, False],
        "ingest_worker": [False, False, True],
    }


async def test_every_tenants_table_has_its_wall_forced(superuser, populated):
    async with superuser.transaction() as connection:
        rows = await connection.execute(
            sa.text(
                "SELECT relname, relrowsecurity AND relforcerowsecurity, pg_get_userbyid(relowner) FROM pg_class "
                "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'ingest' AND relkind IN ('r', 'p')"
            )
        )
        found = [tuple(row) for row in rows]
    assert {name for name, forced, _ in found if not forced} == OPEN
    assert {owner for *_, owner in found} == {"ingest_owner"}
    assert f"scan_events_{NOW:%Y%m%d}_0" in {name for name, *_ in found}


async def test_the_tables_are_those_the_queries_know(superuser):
    async with superuser.transaction() as connection:
        rows = await connection.execute(
            sa.text(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns "
                "WHERE table_schema = 'ingest'"
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
async def test_a_query_without_where_shows_nothing_of_others(app, populated, table):
    for company_id in populated:
        assert {row.company_id for row in await all_rows(app, table, company_id)} == {company_id}
    assert await all_rows(app, table, None) == []


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: table.name)
async def test_requests_cannot_write(app, company_id, table):
    for statement in (sa.delete(table), sa.insert(table).values(dict.fromkeys(table.c.keys()))):
        with refused("permission denied|must be owner"):
            async with app.transaction(company_id=company_id) as connection:
                await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ingest.scan_events SET content = ''",
        "SELECT * FROM ingest.scan_ids_0",
        "SELECT * FROM ingest.scan_events_20261120",
        "SELECT * FROM ingest.scan_events_20261120_0",
        "DROP TABLE ingest.scan_events",
    ],
)
async def test_not_even_the_worker_may(db, populated, statement):
    with refused("permission denied|must be owner"):
        async with db.transaction() as connection:
            await connection.execute(sa.text(statement))


@pytest.mark.parametrize("function", ["create_day", "drop_day"])
async def test_requests_make_and_drop_no_days(app, function):
    with refused("permission denied|must be owner"):
        async with app.transaction() as connection:
            await connection.execute(sa.text(f"SELECT ingest.{function}('2026-01-01')"))
