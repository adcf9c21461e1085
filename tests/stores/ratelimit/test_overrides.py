"""Overrides are kept in the order of their changes, each company's behind its own wall."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.chassis import database
from services.ratelimit import tables
from services.ratelimit.limits import Name
from services.ratelimit.overrides import WHOLE_COMPANY, Override
from services.ratelimit.store_override import OverrideStore
from tests.fakes.limits import SCANNER
from tests.servers.refusals import refused

NOW = datetime(2026, 11, 12, 10, tzinfo=UTC)


@pytest.fixture
async def superuser(postgres):
    async with database.connected(postgres.url("postgres"), pool_size=1) as connected:
        yield connected


@pytest.fixture
def store(db):
    return OverrideStore(db)


async def test_a_change_is_read_back_and_grows_the_revision(store, company_id):
    assert (await store.read(company_id)).revision == 0
    mine = Override(company_id, UUID(SCANNER), Name.SCANNER_HOUR)
    await store.set(mine, 5, NOW)
    first = await store.read(company_id)
    await store.set(mine, 6, NOW)
    second = await store.read(company_id)
    assert second.values == {(UUID(SCANNER), Name.SCANNER_HOUR): 6}
    assert second.revision > first.revision


async def test_taking_back_is_a_change_too_and_happens_once(store, company_id):
    mine = Override(company_id, WHOLE_COMPANY, Name.COMPANY_DAY)
    await store.set(mine, 5, NOW)
    before = await store.read(company_id)
    assert await store.take_back(mine, NOW)
    after = await store.read(company_id)
    assert after.values == {}
    assert after.revision > before.revision
    assert not await store.take_back(mine, NOW)


async def test_who_reads_a_revision_has_read_every_smaller_one(store, company_id):
    names = [Name.COMPANY_DAY, Name.COMPANY_MINUTE, Name.SCANNER_MINUTE, Name.SCANNER_HOUR]
    states = {}

    async def change(name, value):
        await store.set(Override(company_id, WHOLE_COMPANY, name), value, NOW)
        state = await store.read(company_id)
        assert states.setdefault(state.revision, state) == state

    await asyncio.gather(*(change(name, value) for value in range(5) for name in names))
    assert len((await store.read(company_id)).values) == len(names)


async def rows(db, company_id):
    """Read as a query does that has forgotten its WHERE."""
    async with db.transaction(company_id=company_id) as connection:
        return (await connection.execute(sa.select(tables.overrides))).all()


async def test_a_query_without_where_shows_nothing_of_others(db, store, new_company):
    mine, other = new_company(), new_company()
    for each in (mine, other):
        await store.set(Override(each, WHOLE_COMPANY, Name.COMPANY_DAY), 5, NOW)
    assert {row.company_id for row in await rows(db, mine)} == {mine}
    assert await rows(db, None) == []
    (row,) = await rows(db, other)
    with refused("row-level security"):
        async with db.transaction(company_id=mine) as connection:
            await connection.execute(sa.insert(tables.overrides).values(row._asdict()))


async def test_every_table_has_its_wall_forced(superuser):
    async with superuser.transaction() as connection:
        found = await connection.execute(
            sa.text(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
                "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'ratelimit' AND relkind IN ('r', 'p')"
            )
        )
        walled = dict(map(tuple, found))
    assert len(walled) == 10
    assert [name for name, forced in walled.items() if not forced] == ["alembic_version"]


async def test_the_tables_are_those_the_queries_know(superuser):
    async with superuser.transaction() as connection:
        found = await connection.execute(
            sa.text(
                "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns "
                "WHERE table_schema = 'ratelimit' AND table_name = 'overrides'"
            )
        )
        there = {tuple(row) for row in found}
    assert there == {(column.name, column.nullable) for column in tables.overrides.columns}


@pytest.mark.parametrize(
    "statement",
    [sa.delete(tables.overrides), sa.select(sa.text("*")).select_from(sa.text("ratelimit.overrides_0"))],
)
async def test_the_service_may_do_what_it_needs_and_no_more(db, company_id, statement):
    with refused("permission denied"):
        async with db.transaction(company_id=company_id) as connection:
            await connection.execute(statement)
