"""Results go when their company's plan no longer shows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.chassis import subjects, wire
from services.chassis.attempts import Attempts
from services.chassis.plans import COMPLETE, Plans, company_key, plan_key
from services.chassis.subjects import Kind, Lane
from services.enrichment import store_retention
from services.enrichment.recorded import Source
from services.enrichment.retention import Retention
from services.enrichment.store_retention import RetentionStore
from services.enrichment.tables import attempts, results
from services.enrichment.worker import Enricher
from tests.fakes.recorded import delivered, recorded
from tests.fakes.scans import scan

SHORT, LONG = 601, 602
"""Companies whose plans show results for 90 and for 400 days."""
DURABLE = subjects.enrichment(Lane.STANDARD, Kind.BARCODE)


@pytest.fixture
def heard():
    """Not everything that billing tells."""
    told = Plans(bus=None)
    for name, days in (("short", 90), ("long", 400)):
        plan = billing_pb2.Plan(
            plan=name,
            over_quota=billing_pb2.OVER_QUOTA_NONE,
            lane="standard",
            retention=wire.duration(timedelta(days=days)),
        )
        offered = events_pb2.PlanOffered(plan=plan, is_default=name == "long")
        told.learn(plan_key(name), offered.SerializeToString())
    for company_id, name in ((SHORT, "short"), (LONG, "long")):
        changed = events_pb2.SubscriptionChanged(company_id=company_id, plan=name, revision=1)
        told.learn(company_key(company_id), changed.SerializeToString())
    return told


@pytest.fixture
def plans(heard):
    heard.learn(COMPLETE, b"epoch")
    heard.loaded.set()
    return heard


@pytest.fixture
def retention(worker_db, plans, clock):
    """Deletes ten at a time."""
    return Retention(RetentionStore(worker_db, batch=10), Attempts(worker_db, "enrichment"), plans, clock)


@pytest.fixture
async def enrich(store, outbox, clock, worker_db):
    """Enrich scans of a company that were accepted some days ago."""
    async with worker_db.transaction() as connection:
        await connection.execute(sa.delete(results))
    worker = Enricher(Source(Kind.BARCODE, Lane.STANDARD), store, outbox, clock)

    async def enrich_(company_id, days_ago, count=1):
        accepted = clock() - timedelta(days=days_ago)
        scans = [scan() for _ in range(count)]
        await worker.handle([delivered(recorded(*scans, company_id=company_id, accept_time=accepted))])

    return enrich_


async def left(db):
    query = sa.select(results.c.company_id, sa.func.count()).group_by(results.c.company_id)
    async with db.transaction() as connection:
        return {row[0]: row[1] for row in await connection.execute(query)}


async def test_what_is_beyond_a_plans_retention_goes_and_nothing_else(retention, enrich, clock, worker_db):
    for company_id, days_ago in ((SHORT, 80), (SHORT, 87), (LONG, 87), (LONG, 399), (603, 1)):
        await enrich(company_id, days_ago)
    clock.advance(timedelta(days=4))
    assert await retention.sweep() == 2
    assert await left(worker_db) == {SHORT: 1, LONG: 1, 603: 1}


async def test_nothing_goes_before_everybodys_plan_is_known(enrich, heard, clock, worker_db):
    retention = Retention(RetentionStore(worker_db), Attempts(worker_db, "enrichment"), heard, clock)
    for company_id in (SHORT, 603):
        await enrich(company_id, 500)
    clock.advance(timedelta(days=3))
    for _ in range(2):
        assert await retention.sweep() == 0
        heard.loaded.set()
    heard.learn(COMPLETE, b"epoch")
    assert await retention.sweep() == 2


async def test_a_young_result_stays_its_events_may_be_on_their_way(retention, enrich, clock, worker_db):
    await enrich(SHORT, 100)
    clock.advance(timedelta(days=1))
    assert await retention.sweep() == 0
    clock.advance(timedelta(days=2))
    assert await retention.sweep() == 1


async def test_many_go_in_bounded_batches(retention, enrich, clock, worker_db):
    await enrich(SHORT, 100, count=25)
    clock.advance(timedelta(days=3))
    assert await retention.sweep() == 25
    assert await left(worker_db) == {}


async def test_one_replica_at_a_time_sweeps(retention, enrich, clock, worker_db):
    await enrich(SHORT, 100)
    clock.advance(timedelta(days=3))
    async with worker_db.transaction() as connection:
        await connection.execute(store_retention._try_lock)
        assert await retention.sweep() == 0
    assert await retention.sweep() == 1


async def test_failures_of_long_ago_are_forgotten(retention, worker_db):
    book = Attempts(worker_db, "enrichment")
    await book.add(DURABLE, "old")
    async with worker_db.transaction() as connection:
        await connection.execute(sa.update(attempts).values(change_time=sa.func.now() - timedelta(days=3)))
    await book.add(DURABLE, "new")
    await retention.sweep()
    async with worker_db.transaction() as connection:
        assert list((await connection.execute(sa.select(attempts.c.message_id))).scalars()) == ["new"]
