"""Enriching on a real PostgreSQL, through redeliveries, crashes, other workers and poison."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.chassis.errors import Unavailable
from services.chassis.subjects import DEAD_LETTER_WRITTEN
from services.enrichment.recorded import Unreadable
from services.enrichment.results import State
from services.enrichment.tables import results
from services.enrichment.worker import LAST_TRIES, Enricher
from tests.fakes.identities import COMPANY_ID
from tests.fakes.recorded import delivered, recorded, scan_ids
from tests.fakes.scans import scan
from tests.servers.polling import eventually
from tests.stores.enrichment.feeds import POISON, SOURCE, answering
from tests.stores.enrichment.outbox import Crash, Outbox


async def test_a_scan_is_enriched_and_told(worker, outbox, states):
    event = recorded(scan(), scan())
    await worker.handle([delivered(event)])
    assert await states(event) == [State.OK, State.OK]
    assert outbox.told == dict.fromkeys(map(str, scan_ids(event)), "1")
    assert outbox.counted == [(2, 0)]


async def test_a_real_barcode_is_enriched_by_the_rules_of_its_kind(store, outbox, clock):
    event = recorded(scan(data="5901234123457"), scan(data="5901234123458"))
    await Enricher(SOURCE, store, outbox, clock).handle([delivered(event)])
    assert list(outbox.told.values()) == ["05901234123457", ""]


async def test_messages_of_one_batch_are_told_apart(worker, outbox):
    events = [recorded(scan()), recorded(scan(), scan())]
    await worker.handle([delivered(event) for event in events])
    assert outbox.counted == [(1, 0), (2, 0)]


async def test_a_message_that_comes_again_is_told_in_the_same_bytes(worker, other, outbox, clock):
    event = recorded(scan(), scan())
    await worker.handle([delivered(event)])
    first = outbox.stored
    clock.advance(timedelta(days=1))
    await worker.handle([delivered(event, tries=2)])
    other._out = outbox
    await other.handle([delivered(event, tries=3), delivered(event, tries=4)])
    assert outbox.stored == first


@pytest.mark.parametrize("crash", ["events", "letters"])
async def test_what_a_killed_worker_had_stored_is_told_by_the_next_and_not_computed_anew(
    worker, other, outbox, crash, states
):
    event = recorded(scan(), scan(data=POISON))
    outbox.crash_before = {crash}
    with pytest.raises(Crash):
        await worker.bury(delivered(event), 3)
    outbox.crash_before = set()
    other._out = outbox
    await other.bury(delivered(event, tries=2), 4)
    assert list(outbox.told.values()) == ["1"]
    assert outbox.counted == [(1, 1)]
    assert [each.tries for each in outbox.letters] == [3]
    assert await states(event) == [State.OK, State.FAILED]


async def test_nothing_is_told_of_what_is_not_stored(worker, outbox, postgres):
    postgres.stop()
    try:
        with pytest.raises(Unavailable):
            await worker.handle([delivered(recorded())])
    finally:
        postgres.start()
    assert not outbox.offered


async def test_while_the_bus_is_away_the_message_is_not_done(worker, outbox):
    event = recorded()
    outbox.up = False
    with pytest.raises(Unavailable):
        await worker.handle([delivered(event)])
    outbox.up = True
    await worker.handle([delivered(event, tries=2)])
    assert len(outbox.told) == 1


async def test_letters_are_handed_over_last(worker, outbox):
    await worker.bury(delivered(recorded(scan(), scan(data=POISON))), 3)
    assert outbox.subjects[-1] == DEAD_LETTER_WRITTEN
    assert len(outbox.subjects) == 3


async def test_two_workers_at_once_tell_one_answer(store, clock):
    """The other's row is not committed yet when the insert begins: the inserting statement cannot see it."""
    event, boxes = recorded(*(scan() for _ in range(50))), [Outbox(), Outbox()]
    workers = [
        Enricher(SOURCE, store, box, clock, enrich=answering(gtin))
        for box, gtin in zip(boxes, "12", strict=True)
    ]
    await asyncio.gather(*(each.handle([delivered(event)]) for each in workers))
    assert boxes[0].stored == boxes[1].stored
    assert len(boxes[0].told) == 50


async def test_a_worker_that_waited_for_anothers_row_tells_that_row(
    worker, other, outbox, worker_db, superuser
):
    event = recorded()
    await other.handle([delivered(event)])
    (scan_id,) = scan_ids(event)
    async with superuser.transaction() as connection:
        (row,) = (await connection.execute(sa.select(results).where(results.c.scan_id == scan_id))).all()
        await connection.execute(sa.delete(results).where(results.c.scan_id == scan_id))
    async with superuser.transaction() as connection:
        await connection.execute(sa.insert(results).values(row._asdict()))
        waiting = asyncio.create_task(worker.handle([delivered(event)]))
        await eventually(lambda: waits(superuser), "the worker to wait for the row")
    await waiting
    assert list(outbox.told.values()) == ["2"]


async def waits(superuser):
    async with superuser.transaction() as connection:
        query = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'enrichment_worker' AND wait_event_type = 'Lock'"
        )
        return (await connection.execute(query)).scalar_one() > 0


async def test_a_scan_that_is_recorded_twice_keeps_its_first_result(worker, other, store):
    one = recorded()
    again = recorded(one.submissions[0].scans[0].scan)
    await worker.handle([delivered(one)])
    await other.handle([delivered(again)])
    (result,) = [await store.find(COMPANY_ID, scan_id) for scan_id in scan_ids(one)]
    assert str(result.recorded_id) == one.event_id
    assert other._out.offered == []


async def test_two_companies_may_choose_the_same_id(worker, store):
    one = recorded()
    (scan_id,) = scan_ids(one)
    await worker.handle([delivered(one), delivered(recorded(one.submissions[0].scans[0].scan, company_id=8))])
    assert {(await store.find(company_id, scan_id)).company_id for company_id in (COMPANY_ID, 8)} == {
        COMPANY_ID,
        8,
    }


async def test_poison_fails_its_batch_and_is_singled_out_at_the_end(worker, outbox, states):
    event = recorded(scan(), scan(data=POISON), scan())
    with pytest.raises(ValueError, match="poison"):
        await worker.handle([delivered(event)])
    assert await states(event) == [None, None, None]
    await worker.bury(delivered(event, tries=4), 3)
    assert await states(event) == [State.OK, State.FAILED, State.OK]
    assert outbox.counted == [(2, 1)]
    assert [(each.index, each.tries) for each in outbox.letters] == [(1, 3)]


async def test_what_the_database_refuses_is_singled_out_and_its_neighbours_go_on(
    worker, outbox, refusing, states
):
    scans = [scan() for _ in range(9)]
    event = recorded(*scans)
    async with refusing(UUID(scans[3].scan_id), UUID(scans[4].scan_id)):
        with pytest.raises(sa.exc.DBAPIError):
            await worker.handle([delivered(event)])
        await worker.bury(delivered(event), 3)
    assert [index for index, state in enumerate(await states(event)) if state is State.FAILED] == [
        3,
        4,
    ]
    assert [each.index for each in outbox.letters] == [3, 4]
    assert len(outbox.told) == 7


async def test_of_what_killed_even_its_burial_nothing_is_computed(store, outbox, clock, states):
    def deadly(of):
        raise Crash

    event = recorded(scan(), scan())
    await Enricher(SOURCE, store, outbox, clock, enrich=deadly).bury(delivered(event), LAST_TRIES)
    assert await states(event) == [State.FAILED, State.FAILED]
    assert len(outbox.letters) == 2


async def test_a_failure_stays_one_when_the_message_comes_again(worker, store, outbox, clock, states):
    event = recorded(scan(data=POISON))
    await worker.bury(delivered(event), 3)
    first = outbox.stored
    healthy = Enricher(SOURCE, store, outbox, clock)
    await healthy.handle([delivered(event, tries=9)])
    assert await states(event) == [State.FAILED]
    assert outbox.stored == first


async def test_what_nobody_can_read_becomes_a_letter_with_its_bytes(worker, outbox):
    unreadable = delivered(b"\xff\xff", message_id="m-1")
    with pytest.raises(Unreadable):
        await worker.handle([unreadable])
    await worker.bury(unreadable, 3)
    assert [(each.company_id, each.payload) for each in outbox.letters] == [(0, b"\xff\xff")]


@pytest.mark.parametrize("tries", [3, LAST_TRIES])
async def test_a_message_of_a_newer_version_waits_for_newer_code(worker, outbox, tries):
    newer = delivered(recorded(derivation_version=1_000))
    with pytest.raises(Unavailable):
        await worker.handle([newer])
    with pytest.raises(Unavailable):
        await worker.bury(newer, tries)
    assert not outbox.offered


@pytest.fixture
def refusing(superuser):
    """Make the table refuse the results, not the failures, of some scans."""

    @asynccontextmanager
    async def refusing_(*scan_ids):
        listed = ", ".join(f"'{scan_id}'::uuid" for scan_id in scan_ids)
        rule = f"CHECK (result IS NULL OR scan_id NOT IN ({listed})) NOT VALID"
        async with superuser.transaction() as connection:
            await connection.execute(sa.text(f"ALTER TABLE enrichment.results ADD CONSTRAINT poison {rule}"))
        try:
            yield
        finally:
            async with superuser.transaction() as connection:
                await connection.execute(sa.text("ALTER TABLE enrichment.results DROP CONSTRAINT poison"))

    return refusing_
