"""Below the floor, what is older than what was forgotten comes too late; anything else is decided."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_purge import PurgeStore
from services.ingest.store_record import RecordStore
from tests.fakes.scans import scan
from tests.servers.polling import eventually
from tests.stores.ingest.holding import HoldingDatabase, waits_for_a_lock
from tests.stores.ingest.queues import NOW, submission

AFTER = NOW + timedelta(seconds=1)


async def test_below_the_floor_a_message_is_dropped(recorder, queues, record, company_id, db):
    late, current = queues.accept(submission(company_id, scan())), scan()
    on_time = queues.accept(submission(company_id, current))
    await PurgeStore(db).raise_floor(queues.epoch, on_time.sequence, AFTER)
    await recorder.handle([late, on_time])
    assert await record.stored() == [current.scan_id]
    assert queues.published.recorded() == [current.scan_id]
    await recorder.bury(late, 3)
    await recorder.bury(late, 6)
    assert await record.stored() == [current.scan_id]
    assert await record.dead() == []


async def test_a_bus_restored_from_an_older_copy_loses_nothing(recorder, queues, record, company_id, db):
    """It keeps its epoch, and what it accepts anew has sequences from below the floor."""
    await PurgeStore(db).raise_floor(queues.epoch, 1_000, NOW)
    young, mixed = scan(), [scan(), scan()]
    await recorder.handle([queues.accept(submission(company_id, young))])
    await recorder.bury(
        queues.accept(
            submission(company_id, mixed[0], at=NOW - timedelta(seconds=1)), submission(company_id, mixed[1])
        ),
        3,
    )
    assert await record.stored() == sorted(each.scan_id for each in (young, *mixed))
    assert sum(usage.quantity for usage in queues.published.usage()) == 3


async def test_the_floor_never_sinks(recorder, queues, record, company_id, db):
    late = queues.accept(submission(company_id, scan()))
    await PurgeStore(db).raise_floor(queues.epoch, 1_000, AFTER)
    await PurgeStore(db).raise_floor(queues.epoch, 1, NOW - timedelta(days=1))
    await recorder.handle([late])
    assert await record.stored() == []


async def test_the_floor_of_another_stream_drops_nothing(recorder, queues, record, company_id, db):
    await recorder.handle([queues.accept(submission(company_id, scan()))])  # it has heard the epoch
    await PurgeStore(db).raise_floor(queues.epoch, 1_000, AFTER)
    queues.epoch = "made anew"
    await recorder.handle([queues.accept(submission(company_id, scan()))])
    assert len(await record.stored()) == 2


async def test_the_floor_of_another_stream_buries_nothing(recorder, queues, record, company_id, db):
    await recorder.handle([queues.accept(submission(company_id, scan()))])
    await PurgeStore(db).raise_floor(queues.epoch, 1_000, AFTER)
    queues.epoch = "made anew once more"
    await recorder.bury(queues.accept(submission(company_id, scan())), 3)
    assert len(await record.stored()) == 2


async def test_the_floor_waits_for_who_records(site, superuser):
    holding = HoldingDatabase(site.db)
    recorder = Recorder(site.queues, RecordStore(holding), Epoch(site.queues), site.clock)
    delivery = site.queues.accept(submission(site.company_id, scan()))
    recording = asyncio.create_task(recorder.handle([delivery]))
    await holding.held.wait()
    raising = asyncio.create_task(PurgeStore(site.db).raise_floor(site.queues.epoch, 5, NOW))
    await eventually(lambda: waits_for_a_lock(superuser), "the floor to wait")
    assert not raising.done()
    holding.release.set()
    await asyncio.gather(recording, raising)
