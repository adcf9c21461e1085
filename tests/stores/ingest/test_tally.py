"""What enrichment reports is counted once for each event, whatever comes again; what cannot be read is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from scanmesh.enrichment.v1 import events_pb2

from services.chassis import ids, wire
from services.chassis.pull import Delivery
from services.chassis.subjects import DEAD_LETTER_WRITTEN, SCANS_TALLIED
from services.ingest import dead_letters, tables
from services.ingest.consumer_dead_letter import DeadLetterConsumer
from services.ingest.consumer_tally import TallyConsumer
from services.ingest.housekeeping import Housekeeper
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_tally import TallyStore
from tests.fakes.scans import scan
from tests.stores.ingest.queues import NOW, SCANNER, submission


@pytest.fixture
def tallies(db, clock):
    return TallyConsumer(TallyStore(db), DeadLetterStore(db), clock)


@pytest.fixture
def letters(db, clock):
    return DeadLetterConsumer(DeadLetterStore(db), clock)


def delivered(payload, subject=SCANS_TALLIED):
    return Delivery(subject, payload, ids.message_id(), 1, 1, NOW)


def tallied(company_id, *, enriched=0, failed=0, revived=(), at=NOW):
    minute = wire.timestamp(at.replace(second=0, microsecond=0))
    tally = events_pb2.Tally(
        company_id=company_id,
        scanner_id=SCANNER,
        kind="barcode",
        region="local",
        minute_time=minute,
        enriched=enriched,
        failed=failed,
    )
    event = events_pb2.ScansTallied(event_id=str(ids.uuid7()), tallies=[tally])
    for letter in revived:
        event.revived_letters.add(company_id=company_id, dead_letter_id=str(letter))
    return delivered(event.SerializeToString())


async def counts(record):
    """Recorded, enriched and failed of the company, from both rollups."""
    sums = []
    for table in (tables.rollup_minutes, tables.rollup_hours):
        rows = await record.rows(table)
        sums.append(
            tuple(sum(getattr(row, column) for row in rows) for column in ("recorded", "enriched", "failed"))
        )
    assert sums[0] == sums[1]
    return sums[0]


async def test_an_event_is_counted_once(tallies, recorder, queues, record, company_id):
    await recorder.handle([queues.accept(submission(company_id, scan(), scan(), scan()))])
    one, two = tallied(company_id, enriched=2), tallied(company_id, failed=1)
    await tallies.handle([one, two, one])
    await tallies.handle([two, one])
    assert await counts(record) == (3, 2, 1)
    assert len(await record.rows(tables.rollup_minutes)) == 1


async def test_two_consumers_count_an_event_once(tallies, record, company_id, db, clock):
    other = TallyConsumer(TallyStore(db), DeadLetterStore(db), clock)
    events = [tallied(company_id, enriched=1, at=NOW + timedelta(minutes=index)) for index in range(20)]
    await asyncio.gather(tallies.handle(events), other.handle(events[::-1]))
    assert await counts(record) == (0, 20, 0)


async def test_a_replay_takes_failures_back_and_answers_the_letter(site, tallies, letters):
    await site.recorder.bury(site.queues.accept(submission(site.company_id, scan())), 6)
    (message,) = site.queues.published.messages
    await letters.handle([delivered(message.payload, DEAD_LETTER_WRITTEN)])
    await tallies.handle([tallied(site.company_id, failed=1)])
    await tallies.handle(
        [tallied(site.company_id, enriched=1, failed=-1, revived=[UUID(message.message_id)])]
    )
    assert await counts(site.record) == (0, 1, 0)
    (letter,) = await site.record.rows(tables.dead_letters)
    assert letter.revive_time == NOW


async def test_an_unreadable_tally_counts_nothing_and_is_kept(tallies, record, company_id):
    bad = delivered(b"\xff")
    with pytest.raises(ValueError, match="read"):
        await tallies.handle([tallied(company_id, enriched=1), bad])
    assert await counts(record) == (0, 0, 0)
    await tallies.bury(bad, 3)
    assert b"\xff" in await kept_of_nobody(record.db, "ingest_tally")


async def test_an_unreadable_letter_is_kept(letters, db):
    bad = delivered(b"\xfe\xff", DEAD_LETTER_WRITTEN)
    with pytest.raises(ValueError, match="read"):
        await letters.handle([bad])
    await letters.bury(bad, 3)
    assert b"\xfe\xff" in await kept_of_nobody(db, "ingest_dead_letters")


async def kept_of_nobody(db, consumer):
    kept = sa.select(tables.dead_letters.c.payload).where(
        tables.dead_letters.c.company_id == dead_letters.NOBODY, tables.dead_letters.c.consumer == consumer
    )
    async with db.transaction() as connection:
        return list((await connection.execute(kept)).scalars())


async def test_a_letter_is_kept_in_whole_and_only_once(letters, recorder, queues, record, company_id):
    first = scan(data="1", location="Gate")
    other = scan(scan_id=first.scan_id, data="2")
    died = queues.accept(submission(company_id, first, other))
    await recorder.handle([died])
    payload = queues.published.messages[-1].payload
    await letters.handle([delivered(payload, DEAD_LETTER_WRITTEN)] * 2)
    (row,) = await record.rows(tables.dead_letters)
    assert (row.reason, row.message_id, row.index, row.lane, row.region, row.accept_time) == (
        "SCAN_ID_REUSED",
        died.message_id,
        1,
        "standard",
        "local",
        NOW,
    )
    assert type(other).FromString(row.scan) == other


@pytest.mark.parametrize("stream", ["RECORDED", "TALLY"])
async def test_a_counted_event_is_remembered_as_long_as_it_may_come_again(site, tallies, stream):
    event = tallied(site.company_id, enriched=1)
    await tallies.handle([event])
    housekeeper = Housekeeper(site.queues, site.db, None, site.clock)
    site.clock.advance(timedelta(days=9))
    site.queues.oldest[stream] = timedelta(days=9)
    await housekeeper.forget_tallies()
    await tallies.handle([event])
    assert await counts(site.record) == (0, 1, 0)

    site.queues.oldest.clear()
    await housekeeper.forget_tallies()
    async with site.db.transaction() as connection:
        known = sa.select(tables.tallied).where(tables.tallied.c.count_time <= NOW)
        assert (await connection.execute(known)).all() == []
