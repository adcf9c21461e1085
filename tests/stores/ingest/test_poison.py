"""A scan that the store refuses, or that kills its worker, dies alone and is known to be dead."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from services.chassis import ids
from services.chassis.errors import Unavailable
from services.ingest import tables
from services.ingest.dead_letters import read
from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_record import RecordStore
from tests.fakes.scans import scan
from tests.stores.ingest.queues import NOW, submission

POISON = "poison"


@pytest.fixture
async def refusing(owner, recorder, queues):
    """A store that refuses scans of the region `poison`."""
    async with refusal(owner):
        yield


@asynccontextmanager
async def refusal(owner):
    async with owner.transaction() as connection:
        await connection.execute(
            sa.text(
                "ALTER TABLE ingest.scan_events ADD CONSTRAINT planted CHECK (region <> 'poison') NOT VALID"
            )
        )
    try:
        yield
    finally:
        async with owner.transaction() as connection:
            await connection.execute(sa.text("ALTER TABLE ingest.scan_events DROP CONSTRAINT planted"))


@pytest.fixture
def mixed(company_id, queues):
    """A message of good scans with two bad ones among them, and the ids of both."""
    good, bad = [scan() for _ in range(9)], [scan() for _ in range(2)]
    delivery = queues.accept(
        submission(company_id, *good[:4]),
        submission(company_id, bad[0], region=POISON),
        submission(company_id, *good[4:]),
        submission(company_id, bad[1], region=POISON),
    )
    return delivery, sorted(each.scan_id for each in good), sorted(each.scan_id for each in bad)


async def test_a_refused_scan_fails_its_whole_message(refusing, recorder, queues, record, mixed):
    delivery, *_ = mixed
    with pytest.raises(Exception, match="planted"):
        await recorder.handle([delivery])
    assert await record.stored() == []
    assert queues.published.messages == []


async def test_burying_records_all_but_the_refused(refusing, recorder, queues, record, mixed):
    delivery, good, bad = mixed
    await recorder.bury(delivery, 3)
    assert await record.stored() == good
    assert await record.dead() == bad
    assert await record.counted() == (9, 9)
    assert sorted(queues.published.recorded()) == good
    assert sum(usage.quantity for usage in queues.published.usage()) == 9
    letters = queues.published.letters()
    assert sorted(letter.scan.scan_id for letter in letters) == bad
    assert {(letter.reason, letter.consumer) for letter in letters} == {("INTERNAL", "ingest_recorder")}


async def test_a_message_that_was_buried_stays_decided(owner, recorder, queues, record, mixed):
    """A7, A9: another delivery, to a replica that would not fail, brings no dead scan back."""
    delivery, good, bad = mixed
    async with refusal(owner):
        await recorder.bury(delivery, 3)
    first = list(queues.published.messages)
    await recorder.handle([queues.again(delivery.sequence)])
    assert await record.stored() == good
    assert await record.dead() == bad
    assert [message.message_id for message in queues.published.messages[len(first) :]] == [
        message.message_id for message in first
    ]


async def test_burying_what_is_not_poison_records_it(recorder, queues, record, company_id):
    delivery = queues.accept(submission(company_id, scan(), scan()))
    await recorder.bury(delivery, 3)
    assert len(await record.stored()) == 2
    assert queues.published.letters() == []


async def test_what_kills_even_the_burial_dies_unseen(recorder, queues, record, company_id):
    known, new = scan(), scan()
    await recorder.handle([queues.accept(submission(company_id, known))])
    await recorder.bury(queues.accept(submission(company_id, known, new)), 6)
    assert await record.stored() == [known.scan_id]
    assert await record.dead() == [new.scan_id]
    assert [letter.scan for letter in queues.published.letters()] == [new]


async def test_a_dead_id_with_other_content_is_reused(recorder, queues, company_id, record):
    first = scan(data="1")
    await recorder.bury(queues.accept(submission(company_id, first)), 6)
    other = scan(scan_id=first.scan_id, data="2")
    await recorder.handle([queues.accept(submission(company_id, other))])
    assert [letter.reason for letter in queues.published.letters()] == ["INTERNAL", "SCAN_ID_REUSED"]
    assert await record.stored() == []


async def test_a_database_at_fault_kills_no_scan(owner, recorder, queues, record, company_id):
    delivery = queues.accept(submission(company_id, scan()))
    async with owner.transaction() as connection:
        await connection.execute(sa.text("REVOKE INSERT ON ingest.rollup_hours FROM ingest_worker"))
    try:
        with pytest.raises(Unavailable):
            await recorder.bury(delivery, 3)
    finally:
        async with owner.transaction() as connection:
            await connection.execute(sa.text("GRANT INSERT ON ingest.rollup_hours TO ingest_worker"))
    assert await record.dead() == []
    await recorder.bury(delivery, 3)
    assert len(await record.stored()) == 1


@pytest.mark.parametrize(
    "payload", [b"\xff\xff", b"", b"\x08\x01\x12\x02\x08\x01"], ids=["bytes", "none", "company"]
)
async def test_an_unreadable_message_is_a_letter_of_nobody(recorder, queues, payload):
    delivery = queues.put(payload)
    with pytest.raises(ValueError, match="read"):
        await recorder.handle([delivery])
    await recorder.bury(delivery, 3)
    (letter,) = queues.published.letters()
    assert (letter.company_id, letter.payload, letter.message_id) == (0, payload, delivery.message_id)
    assert not letter.HasField("scan")


async def test_what_cannot_even_be_sent_dies_alone(recorder, queues, record, company_id):
    good = [scan() for _ in range(3)]
    delivery = queues.accept(submission(company_id, *good), submission(company_id, scan(), region="a\0b"))
    with pytest.raises(Exception, match="0x00"):
        await recorder.handle([delivery])
    await recorder.bury(delivery, 3)
    assert await record.stored() == sorted(each.scan_id for each in good)
    assert len(await record.dead()) == 1
    assert await record.counted() == (3, 3)


async def kill(recorder, queues, company_id, seen):
    """Let a scan die and keep its letter; answer the message it died in."""
    delivery = queues.accept(submission(company_id, seen))
    await recorder.bury(delivery, 6)
    await keep_letters(recorder, queues)
    return delivery


async def keep_letters(recorder, queues):
    store = DeadLetterStore(recorder._store._database)
    await store.add([read(message.payload) for message in queues.published.messages if is_letter(message)])


def is_letter(message):
    return message.subject.startswith("deadletter")


async def test_a_replay_brings_a_dead_scan_back(recorder, queues, record, company_id):
    seen = scan()
    died = await kill(recorder, queues, company_id, seen)
    replay = queues.accept(submission(company_id, seen), replays=died.message_id)
    await recorder.handle([replay])
    await recorder.handle([queues.again(replay.sequence), queues.again(died.sequence)])

    assert await record.stored() == [seen.scan_id]
    assert await record.dead() == []
    assert await record.counted() == (1, 1)
    (event,) = await record.rows(tables.scan_events)
    assert event.accept_time == NOW
    assert queues.published.recorded() == [seen.scan_id]
    assert [usage.quantity for usage in queues.published.usage()] == [1]
    (letter,) = await record.rows(tables.dead_letters)
    assert letter.revive_time is not None


async def test_of_two_replays_one_takes_the_scan(recorder, queues, record, company_id):
    seen = scan()
    died = await kill(recorder, queues, company_id, seen)
    await recorder.handle(
        [queues.accept(submission(company_id, seen), replays=died.message_id) for _ in range(2)]
    )
    assert await record.stored() == [seen.scan_id]
    assert queues.published.recorded() == [seen.scan_id]
    assert sum(usage.quantity for usage in queues.published.usage()) == 1


async def test_a_replay_that_dies_again_has_a_letter_of_its_own(owner, recorder, queues, record, company_id):
    seen = scan()
    died = await kill(recorder, queues, company_id, seen)
    replay = queues.accept(submission(company_id, seen, region=POISON), replays=died.message_id)
    async with refusal(owner):
        await recorder.bury(replay, 3)
    await keep_letters(recorder, queues)

    open_letters = [row for row in await record.rows(tables.dead_letters) if row.revive_time is None]
    assert [row.message_id for row in open_letters] == [replay.message_id]
    again = queues.accept(submission(company_id, seen), replays=replay.message_id)
    await recorder.handle([again])
    assert await record.stored() == [seen.scan_id]


async def test_a_replay_never_makes_a_record(recorder, queues, record, company_id):
    await recorder.handle([queues.accept(submission(company_id, scan()), replays=ids.message_id())])
    assert await record.stored() == []
    assert await record.rows(tables.scan_ids) == []
    assert queues.published.messages == []


async def test_a_replay_of_a_living_scan_changes_nothing(recorder, queues, record, company_id):
    seen = scan()
    alive = queues.accept(submission(company_id, seen))
    await recorder.handle([alive])
    await recorder.handle([queues.accept(submission(company_id, seen), replays=alive.message_id)])
    assert await record.counted() == (1, 1)
    assert sum(usage.quantity for usage in queues.published.usage()) == 1


async def test_a_replay_with_two_scans_is_unreadable(recorder, queues, company_id):
    with pytest.raises(ValueError, match="one scan"):
        await recorder.handle(
            [queues.accept(submission(company_id, scan(), scan()), replays=ids.message_id())]
        )


async def test_a_crash_after_a_burial_still_writes_its_letters(db, queues, clock, record, company_id):
    recorder = Recorder(queues, RecordStore(db), Epoch(queues), clock)
    delivery = queues.accept(submission(company_id, scan()))

    async def crash(step):
        raise KeyboardInterrupt

    queues.step, step = crash, queues.step
    with pytest.raises(KeyboardInterrupt):
        await recorder.bury(delivery, 6)
    queues.step = step
    await recorder.handle([queues.again(delivery.sequence)])
    assert [letter.reason for letter in queues.published.letters()] == ["INTERNAL"]
