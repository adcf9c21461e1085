"""Companies are kept apart by PostgreSQL itself, whatever a query forgets."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.chassis.subjects import Kind, Lane
from services.enrichment import tables
from services.enrichment.recorded import Source
from services.enrichment.tables import results
from services.enrichment.worker import Enricher
from tests.fakes.recorded import delivered, recorded
from tests.servers.refusals import refused

MINE, OTHER = 501, 502


@pytest.fixture(autouse=True)
async def populated(store, outbox, clock):
    """Two companies with a result each."""
    worker = Enricher(Source(Kind.BARCODE, Lane.STANDARD), store, outbox, clock)
    await worker.handle([delivered(recorded(company_id=company_id)) for company_id in (MINE, OTHER)])


async def flags(db):
    query = sa.text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    async with db.transaction() as connection:
        return tuple((await connection.execute(query)).one())


async def test_requests_stand_before_the_walls_and_the_worker_above_them(app_db, worker_db):
    assert await flags(app_db) == (False, False, False)
    assert await flags(worker_db) == (False, True, False)


async def test_every_tenants_table_has_its_wall_forced(superuser):
    query = sa.text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity, pg_get_userbyid(relowner) FROM pg_class "
        "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'enrichment' AND relkind IN ('r', 'p')"
    )
    async with superuser.transaction() as connection:
        rows = [tuple(row) for row in await connection.execute(query)]
    assert {name for name, forced, _ in rows if not forced} == {"attempts", "alembic_version"}
    assert {owner for _, _, owner in rows} == {"enrichment_owner"}


async def test_the_tables_are_those_the_queries_know(superuser):
    query = sa.text(
        "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns "
        "WHERE table_schema = 'enrichment'"
    )
    async with superuser.transaction() as connection:
        there = {tuple(row) for row in await connection.execute(query)}
    known = {
        (table.name, column.name, column.nullable)
        for table in tables.metadata.sorted_tables
        for column in table.columns
    }
    assert known == {
        row for row in there if row[0] in {table.name for table in tables.metadata.sorted_tables}
    }


async def seen(db, company_id):
    """Read the table as a query does that has forgotten its WHERE."""
    async with db.transaction(company_id=company_id) as connection:
        return {row.company_id for row in await connection.execute(sa.select(results))}


async def test_a_query_without_where_shows_nothing_of_others(app_db):
    assert await seen(app_db, MINE) == {MINE}
    assert await seen(app_db, OTHER) == {OTHER}


async def test_without_a_company_nothing_is_shown(app_db):
    assert await seen(app_db, None) == set()


async def test_the_worker_sees_all(worker_db):
    assert await seen(worker_db, None) >= {MINE, OTHER}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO enrichment.results SELECT * FROM enrichment.results",
        "UPDATE enrichment.results SET state = 'ok'",
        "DELETE FROM enrichment.results",
        "SELECT * FROM enrichment.results_0",
        "SELECT * FROM enrichment.attempts",
    ],
)
async def test_requests_may_only_read_results(app_db, statement):
    with refused("permission denied"):
        async with app_db.transaction(company_id=MINE) as connection:
            await connection.execute(sa.text(statement))


async def test_a_result_is_there_exactly_if_it_has_not_failed(worker_db):
    with pytest.raises(sa.exc.IntegrityError):
        async with worker_db.transaction() as connection:
            await connection.execute(sa.update(results).values(state="failed"))
