"""A page of scans is read off the indexes of a few days, however many days and scans there are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from scanmesh.ingest.v1 import query_pb2

from services.chassis import database
from services.ingest import queries, store_scan
from tests.fakes.identities import SCANNER_ID
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.record import Record, spread

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COMPANY_ID = 900_001
DAY = timedelta(days=1)


@pytest.fixture
async def db(postgres):  # noqa: F811
    async with database.connected(postgres.url("ingest_app"), pool_size=1) as connected:
        yield connected


@pytest.fixture(scope="module")
def filled(postgres):  # noqa: F811
    """Thirty days with 300 scans each."""
    asyncio.run(fill(postgres))


async def fill(server):
    async with database.connected(server.url("ingest_worker"), pool_size=1) as worker:
        await Record(worker, COMPANY_ID).scans(spread(NOW, 9_000, timedelta(minutes=4.8)), known=False)
    async with (
        database.connected(server.url("postgres"), pool_size=1) as superuser,
        superuser.transaction() as connection,
    ):
        await connection.execute(sa.text("ANALYZE ingest.scan_events"))


async def plan(db, statement):
    """Run a statement as the store does, and answer how PostgreSQL did it, node by node."""
    dialect = sa.dialects.postgresql.dialect()
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    async with db.transaction(company_id=COMPANY_ID) as connection:
        explained = await connection.execute(
            sa.text("EXPLAIN (ANALYZE, FORMAT JSON) " + text.replace(":", "\\:"))
        )
        return list(nodes(explained.scalar_one()[0]["Plan"]))


def nodes(node):
    yield node
    for below in node.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("filters", [{}, {"scanner_id": SCANNER_ID}, {"kind": "barcode"}], ids=str)
async def test_a_page_reads_no_more_rows_than_it_has(db, filled, filters):
    request = query_pb2.ListScansRequest(page_size=100, **filters)
    query = queries.scans(request, oldest=NOW - 40 * DAY, now=NOW, own=None)
    wanted = store_scan._wanted(COMPANY_ID, query, NOW - 30 * DAY, NOW + DAY).limit(101)
    used = await plan(db, store_scan._within(wanted, store_scan.MAX_PAGE_BYTES))
    kinds = {node["Node Type"] for node in used}
    read = [node for node in used if "Relation Name" in node]
    assert "Sort" not in kinds
    assert {node["Node Type"] for node in read} == {"Index Scan"}
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) == 101
    assert sum(node["Actual Loops"] > 0 for node in read) == 1  # the newest day has them all


async def test_a_window_opens_its_own_days_only(db, filled):
    query = queries.scans(query_pb2.ListScansRequest(), oldest=NOW - 40 * DAY, now=NOW, own=None)
    low, high = next(query.windows())
    used = await plan(db, store_scan._within(store_scan._wanted(COMPANY_ID, query, low, high).limit(51), 1))
    assert len({node["Relation Name"] for node in used if "Relation Name" in node}) <= 2
