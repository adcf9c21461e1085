"""The recorder on a real PostgreSQL: each way in which PROMISE.md saw the promise break, provoked."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.chassis.errors import Unavailable
from services.chassis.subjects import Lane
from services.ingest import dead_letters, tables
from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_record import RecordStore
from tests.fakes.scans import scan
from tests.servers.polling import eventually
from tests.stores.ingest.holding import HoldingDatabase, waits_for_a_lock
from tests.stores.ingest.queues import NOW, go_on, submission


class Crash(BaseException):
    """The process is gone."""


def crashing(*_):
    raise Crash


async def test_a_scan_is_stored_counted_enriched_and_billed(recorder, queues, record, company_id):
    seen = scan(location="Gate", attributes={"b": "2", "a": "1"})
    await recorder.handle([queues.accept(submission(company_id, seen), lane=Lane.PREMIUM)])

    (event,) = await record.rows(tables.scan_events)
    assert type(seen).FromString(event.content) == seen
    assert (event.kind, event.lane, event.region, event.accept_time) == ("barcode", "premium", "local", NOW)
    assert await record.counted() == (1, 1)
    assert queues.published.recorded() == [seen.scan_id]
    (usage,) = queues.published.usage()
    assert (usage.company_id, usage.quantity, usage.lane) == (company_id, 1, "premium")


async def test_a_redelivery_changes_nothing_and_derives_the_same_bytes(recorder, queues, record, company_id):
    delivery = queues.accept(submission(company_id, scan(), scan()))
    await recorder.handle([delivery])
    first = list(queues.published.messages)
    await recorder.handle([queues.again(delivery.sequence)])

    assert queues.published.messages == first * 2
    assert len(await record.stored()) == 2
    assert await record.counted() == (2, 2)


async def test_a_crash_between_commit_and_publish_loses_nothing(recorder, queues, record, company_id):
    delivery = queues.accept(submission(company_id, scan()))
    queues.step = crashing
    with pytest.raises(Crash):
        await recorder.handle([delivery])
    assert queues.published.messages == []

    queues.step = go_on
    await recorder.handle([queues.again(delivery.sequence)])
    assert queues.published.recorded() == await record.stored()
    assert [usage.quantity for usage in queues.published.usage()] == [1]


async def test_another_fetch_derives_the_same_events(recorder, queues, company_id):
    one, two = queues.accept(submission(company_id, scan())), queues.accept(submission(company_id, scan()))
    await recorder.handle([one])
    alone = list(queues.published.messages)
    await recorder.handle([one, two])
    assert queues.published.messages[2:4] == alone
    assert sum(usage.quantity for usage in queues.published.usage()) == 2


async def test_a_resend_by_another_message_is_known(recorder, queues, record, company_id):
    seen = scan()
    await recorder.handle([queues.accept(submission(company_id, seen))])
    await recorder.handle([queues.accept(submission(company_id, seen), lane=Lane.BULK)])
    assert await record.stored() == [seen.scan_id]
    assert queues.published.recorded() == [seen.scan_id]
    assert queues.published.letters() == []


async def test_other_content_under_a_used_id_is_a_dead_letter(recorder, queues, record, company_id):
    first = scan(data="1")
    other = scan(scan_id=first.scan_id, data="2")
    await recorder.handle([queues.accept(submission(company_id, first))])
    await recorder.handle([queues.accept(submission(company_id, other))])
    (letter,) = queues.published.letters()
    assert (letter.reason, letter.consumer, letter.scan) == ("SCAN_ID_REUSED", "ingest_recorder", other)
    assert await record.stored() == [first.scan_id]
    assert await record.counted() == (1, 1)


async def test_of_one_id_twice_in_a_message_the_first_content_wins(recorder, queues, record, company_id):
    first = scan(data="1")
    other = scan(scan_id=first.scan_id, data="2")
    await recorder.handle([queues.accept(submission(company_id, first, other, first))])
    assert await record.stored() == [first.scan_id]
    assert [usage.quantity for usage in queues.published.usage()] == [1]
    (letter,) = queues.published.letters()
    assert (letter.index, letter.scan) == (1, other)


async def test_the_same_id_of_two_companies_is_two_scans(recorder, queues, record, company_id):
    seen = scan()
    await recorder.handle(
        [queues.accept(submission(company_id, seen), submission(company_id + 10_000, seen))]
    )
    assert await record.stored() == [seen.scan_id]
    assert {usage.company_id for usage in queues.published.usage()} == {company_id, company_id + 10_000}


async def test_two_recorders_with_the_same_scans_record_each_once(site):
    other = Recorder(site.queues, RecordStore(site.db), Epoch(site.queues), site.clock)
    scans = [scan() for _ in range(50)]
    forward, backward = (
        site.queues.accept(submission(site.company_id, *scans)),
        site.queues.accept(submission(site.company_id, *scans[::-1])),
    )
    await asyncio.gather(site.recorder.handle([forward, backward]), other.handle([backward, forward]))
    assert await site.record.stored() == sorted(each.scan_id for each in scans)
    assert await site.record.counted() == (50, 50)
    assert sorted(site.queues.published.recorded()) == await site.record.stored()
    assert sum(usage.quantity for usage in site.queues.published.usage()) == 50


async def test_who_waited_for_another_replica_sees_what_that_one_won(site, superuser):
    """A2: an insert that waited sees the other's rows in a second statement only."""
    delivery = site.queues.accept(submission(site.company_id, scan()))
    holding = HoldingDatabase(site.db)
    first = Recorder(site.queues, RecordStore(holding), Epoch(site.queues), site.clock)
    stopped = asyncio.create_task(crashed(first.handle([delivery])))
    await holding.held.wait()
    second = asyncio.create_task(site.recorder.handle([delivery]))
    await eventually(lambda: waits_for_a_lock(superuser), "the second recorder to wait")
    site.queues.step = crashing
    holding.release.set()
    await stopped
    site.queues.step = go_on
    await second
    assert site.queues.published.recorded() == await site.record.stored()
    assert [usage.quantity for usage in site.queues.published.usage()] == [1]


async def crashed(work):
    with pytest.raises(Crash):
        await work


async def test_a_message_of_a_later_version_waits_untouched(recorder, queues, record, company_id):
    with pytest.raises(Unavailable):
        await recorder.handle([queues.accept(submission(company_id, scan()), version=2)])
    assert await record.stored() == []


async def test_a_large_fetch_is_recorded_in_whole(recorder, queues, record, company_id):
    messages = [
        queues.accept(submission(company_id, *(scan(attributes={"k": "v" * 1_000}) for _ in range(300))))
        for _ in range(8)
    ]
    await recorder.handle(messages)
    assert len(await record.stored()) == 2_400
    assert sum(usage.quantity for usage in queues.published.usage()) == 2_400


async def test_a_day_that_was_dropped_is_made_again(recorder, queues, record, company_id, db):
    delivery = queues.accept(submission(company_id, scan(), at=NOW.replace(year=2025, month=12)))
    await recorder.handle([delivery])
    async with db.transaction() as connection:
        await connection.execute(sa.text("SELECT ingest.drop_day('2025-12-20')"))
    later = queues.accept(submission(company_id, scan(), at=NOW.replace(year=2025, month=12)))
    with pytest.raises(Unavailable):
        await recorder.handle([later])
    await recorder.handle([later])
    assert len(await record.stored()) == 1


async def test_letters_are_published_last(recorder, queues, company_id):
    first = scan(data="1")
    await recorder.handle(
        [queues.accept(submission(company_id, first, scan(scan_id=first.scan_id, data="2")))]
    )
    order = [message.subject.split(".")[0] for message in queues.published.messages]
    assert order == ["scan", "usage", "deadletter"]


async def test_a_letter_is_kept_once(queues, recorder, company_id, record, db):
    first = scan(data="1")
    delivery = queues.accept(submission(company_id, first, scan(scan_id=first.scan_id, data="2")))
    await recorder.handle([delivery])
    await recorder.handle([queues.again(delivery.sequence)])
    letters = [
        dead_letters.read(message.payload)
        for message in queues.published.messages
        if message.subject.startswith("deadletter")
    ]
    assert len(letters) == 2
    for letter in letters:
        await DeadLetterStore(db).add([letter])
    (row,) = await record.rows(tables.dead_letters)
    assert (str(row.scan_id), row.tries, row.message_id) == (first.scan_id, 1, delivery.message_id)
