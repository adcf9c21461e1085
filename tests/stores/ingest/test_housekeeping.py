"""What goes and what stays, by the watermark of SCANS where a scan could be counted twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.chassis import ids, plans, wire
from services.chassis.attempts import Attempts
from services.chassis.errors import Unavailable
from services.chassis.subjects import DEAD_LETTERS
from services.ingest import dead_letters, housekeeping, store_purge, tables
from services.ingest.housekeeping import MEMORY, Housekeeper
from services.ingest.store_day import DayStore
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_purge import PurgeStore
from tests.fakes.scans import scan
from tests.servers.polling import eventually
from tests.stores.ingest.queues import NOW, submission

DAY = timedelta(days=1)


@pytest.fixture
def known_plans(queues):
    return plans.Plans(queues)


@pytest.fixture
def housekeeper(queues, db, known_plans, clock):
    return Housekeeper(queues, db, known_plans, clock)


def subscribe(known_plans, company_id, retention):
    """Put a company on a plan of its own."""
    duration = wire.duration(retention)
    plan = billing_pb2.Plan(
        plan=f"p{company_id}", lane="standard", over_quota=billing_pb2.OVER_QUOTA_NONE, retention=duration
    )
    known_plans.learn(plans.plan_key(plan.plan), events_pb2.PlanOffered(plan=plan).SerializeToString())
    told = events_pb2.SubscriptionChanged(company_id=company_id, plan=plan.plan, revision=1)
    known_plans.learn(plans.company_key(company_id), told.SerializeToString())


async def test_days_are_made_ahead(housekeeper, db):
    await housekeeper.make_days()
    assert {NOW.date() + index * DAY for index in range(-1, 8)} <= set(await DayStore(db).kept())


async def test_days_that_no_plan_keeps_are_dropped(site, housekeeper):
    old, kept = NOW - 402 * DAY, NOW - 399 * DAY
    for at in (old, kept):
        await site.recorder.handle([site.queues.accept(submission(site.company_id, scan(), at=at))])
    await housekeeper.drop_days()
    assert [row.accept_time for row in await site.record.rows(tables.scan_events)] == [kept]
    assert old.date() not in await DayStore(site.db).kept()


async def test_a_shorter_plan_keeps_less(site, housekeeper, known_plans):
    subscribe(known_plans, site.company_id, 30 * DAY)
    old, kept = NOW - 32 * DAY, NOW - 29 * DAY
    for company in (site.company_id, site.company_id + 30_000):
        for at in (old, kept):
            await site.recorder.handle([site.queues.accept(submission(company, scan(), at=at))])
    await housekeeper.sweep()
    assert len(await site.record.stored()) == 2  # the plans have not been heard yet
    known_plans.loaded.set()
    await housekeeper.sweep()
    assert len(await site.record.stored()) == 2  # nor are they complete
    known_plans.learn(plans.COMPLETE, b"")
    for _ in range(20):
        await housekeeper.sweep()
    assert [row.accept_time for row in await site.record.rows(tables.scan_events)] == [kept]
    async with site.record.db.transaction() as connection:
        other = await connection.execute(
            sa.select(tables.scan_events).where(tables.scan_events.c.company_id == site.company_id + 30_000)
        )
        assert len(other.all()) == 2


async def test_a_scan_is_remembered_until_the_watermark_is_37_days_past_it(site, housekeeper):
    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan()))])
    site.queues.waiting.clear()
    site.clock.advance(MEMORY)
    await housekeeper.forget_scans()
    assert len(await site.record.rows(tables.scan_ids)) == 1
    site.clock.advance(timedelta(seconds=31))
    await housekeeper.forget_scans()
    assert await site.record.rows(tables.scan_ids) == []


async def test_while_a_message_waits_what_it_may_repeat_is_remembered(site, housekeeper):
    """A11: a resend accepted on day 34 is not yet recorded on day 38."""
    seen = scan()
    await site.recorder.handle([site.queues.accept(submission(site.company_id, seen))])
    site.queues.waiting.clear()
    resend = site.queues.accept(submission(site.company_id, seen, at=NOW + 34 * DAY))
    site.clock.advance(38 * DAY)
    site.queues.oldest["SCANS"] = 4 * DAY
    await housekeeper.forget_scans()
    await site.recorder.handle([resend])
    assert await site.record.stored() == [seen.scan_id]
    assert sum(usage.quantity for usage in site.queues.published.usage()) == 1


async def test_who_wakes_up_after_the_purge_comes_too_late(site, housekeeper):
    """A12: a stopped recorder holds a message that another one has recorded and acknowledged."""
    held = site.queues.accept(submission(site.company_id, scan()))
    await site.recorder.handle([held])
    site.queues.ack(held)
    site.clock.advance(38 * DAY)
    await housekeeper.forget_scans()
    assert await site.record.rows(tables.scan_ids) == []
    await site.recorder.handle([held])
    assert len(await site.record.stored()) == 1
    assert sum(usage.quantity for usage in site.queues.published.usage()) == 1


async def test_the_floor_is_raised_before_anything_is_forgotten(site, housekeeper, monkeypatch):
    async def refuse(*_):
        raise Unavailable("somebody records")

    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan()))])
    site.queues.waiting.clear()
    site.clock.advance(38 * DAY)
    monkeypatch.setattr(PurgeStore, "raise_floor", refuse)
    with pytest.raises(Unavailable):
        await housekeeper.forget_scans()
    assert len(await site.record.rows(tables.scan_ids)) == 1


async def test_dead_rows_and_letters_go_with_the_watermark(site, housekeeper):
    await site.recorder.bury(site.queues.accept(submission(site.company_id, scan())), 6)
    await DeadLetterStore(site.db).add(
        [dead_letters.row(letter) for letter in site.queues.published.letters()]
    )
    site.queues.waiting.clear()
    await housekeeper.round()
    assert len(await site.record.dead()) == len(await site.record.rows(tables.dead_letters)) == 1
    site.clock.advance(38 * DAY)
    await housekeeper.round()
    assert await site.record.dead() == await site.record.rows(tables.dead_letters) == []


async def test_one_replica_at_a_time_deletes(site, housekeeper):
    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan()))])
    site.queues.waiting.clear()
    site.clock.advance(38 * DAY)
    async with site.db.transaction() as other:
        await other.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('ingest.housekeeping.ids'))"))
        await housekeeper.forget_scans()
        assert len(await site.record.rows(tables.scan_ids)) == 1
    await housekeeper.forget_scans()
    assert await site.record.rows(tables.scan_ids) == []


async def test_attempts_are_forgotten(housekeeper, db, owner):
    attempts = Attempts(db, "ingest")
    await attempts.add(DEAD_LETTERS, "old")
    async with owner.transaction() as connection:
        await connection.execute(
            sa.text("UPDATE ingest.attempts SET change_time = now() - interval '3 days'")
        )
    await attempts.add(DEAD_LETTERS, "new")
    await housekeeper.forget_attempts()
    async with db.transaction() as connection:
        left = await connection.execute(sa.text("SELECT message_id FROM ingest.attempts"))
        assert list(left.scalars()) == ["new"]


async def test_a_replicas_clock_that_runs_ahead_lets_nothing_go(site, housekeeper, known_plans):
    await everything_old(site, housekeeper, known_plans)
    site.queues.now = lambda: NOW
    site.clock.advance(500 * DAY)
    await housekeeper.round()
    assert len(await site.record.stored()) == len(await site.record.rows(tables.scan_ids)) == 1
    assert await site.record.counted() == (1, 1)
    assert (NOW + 500 * DAY).date() in await DayStore(site.db).kept()


async def test_the_bus_clock_that_runs_ahead_lets_nothing_go(site, housekeeper, known_plans):
    await everything_old(site, housekeeper, known_plans)
    site.queues.now = lambda: NOW + 500 * DAY
    await housekeeper.round()
    assert len(await site.record.stored()) == len(await site.record.rows(tables.scan_ids)) == 1
    assert await site.record.counted() == (1, 1)


async def everything_old(site, housekeeper, known_plans):
    """One scan on record, of a company that keeps its scans for a day only."""
    subscribe(known_plans, site.company_id, DAY)
    known_plans.loaded.set()
    known_plans.learn(plans.COMPLETE, b"")
    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan()))])
    site.queues.waiting.clear()


async def test_after_the_bus_clock_was_set_back_nothing_is_forgotten(site, housekeeper, caplog):
    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan()))])
    site.clock.advance(40 * DAY)
    site.queues.oldest["SCANS"] = -timedelta(seconds=1)
    await housekeeper.round()
    assert len(await site.record.rows(tables.scan_ids)) == 1
    assert {record.chore for record in caplog.records} == {"forget_letters", "forget_scans"}


async def test_scans_of_one_message_are_forgotten_after_it_comes_too_late(site, housekeeper):
    requests = [
        submission(site.company_id, scan(), at=NOW + timedelta(seconds=seconds)) for seconds in (0, 14)
    ]
    held = site.queues.accept(*requests)
    await site.recorder.handle([held])
    site.queues.ack(held)
    site.clock.advance(MEMORY)
    for _ in range(60):
        site.clock.advance(timedelta(seconds=1))
        await housekeeper.forget_scans()
        await site.recorder.handle([held])
    assert await site.record.rows(tables.scan_ids) == []
    assert len(await site.record.stored()) == 2


async def test_what_a_round_has_no_time_for_follows_at_once(site, housekeeper, monkeypatch):
    monkeypatch.setattr(store_purge, "BATCH", 1)
    monkeypatch.setattr(housekeeping, "_CHORE_SECONDS", 0.0)
    await site.recorder.handle([site.queues.accept(submission(site.company_id, scan(), scan(), scan()))])
    site.queues.waiting.clear()
    site.clock.advance(38 * DAY)
    assert await housekeeper.round()
    assert len(await site.record.rows(tables.scan_ids)) < 3
    running = asyncio.create_task(housekeeper.run())
    await eventually(lambda: nothing_in(site, tables.scan_ids), "all of it to be forgotten", seconds=10)
    running.cancel()


async def nothing_in(site, table):
    return await site.record.rows(table) == []


async def test_numbers_are_kept_as_long_as_the_longest_plan_keeps_scans(site, housekeeper):
    for age in (399, 402):
        await site.recorder.handle(
            [site.queues.accept(submission(site.company_id, scan(), at=NOW - age * DAY))]
        )
    await housekeeper.forget_counts()
    assert await site.record.counted() == (1, 1)
    (row,) = await site.record.rows(tables.rollup_minutes)
    assert row.minute_time == (NOW - 399 * DAY).replace(second=0)


async def test_a_letter_goes_before_what_its_replay_needs(site, housekeeper):
    await site.recorder.bury(site.queues.accept(submission(site.company_id, scan(), at=NOW - 30 * DAY)), 6)
    (letter,) = map(dead_letters.row, site.queues.published.letters())
    others = replace(letter, dead_letter_id=ids.uuid7(), consumer="enrichment_barcode")
    await DeadLetterStore(site.db).add([letter, others])
    site.queues.waiting.clear()
    site.clock.advance(8 * DAY)
    await housekeeper.round()
    assert await site.record.dead() == []
    assert [row.consumer for row in await site.record.rows(tables.dead_letters)] == ["enrichment_barcode"]


async def test_a_partition_that_is_no_day_is_left_alone(site, housekeeper, owner):
    odd = "CREATE TABLE ingest.scan_events_odd PARTITION OF ingest.scan_events FOR VALUES FROM ('1999-01-01') TO ('1999-01-02')"
    async with owner.transaction() as connection:
        await connection.execute(sa.text(odd))
    try:
        assert not await housekeeper.round()
        assert NOW.date() in await DayStore(site.db).kept()
    finally:
        async with owner.transaction() as connection:
            await connection.execute(sa.text("DROP TABLE ingest.scan_events_odd"))


async def test_a_chore_that_fails_stops_no_other(housekeeper, db, queues):
    async def away(stream):
        raise Unavailable("the bus is away")

    queues.state = away
    await housekeeper.round()
    assert NOW.date() in await DayStore(db).kept()
