"""A replica that stands still, stopped or on a frozen machine, stops nobody else."""

from __future__ import annotations

import asyncio

from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_purge import PurgeStore
from services.ingest.store_record import RecordStore
from tests.fakes.scans import scan
from tests.stores.ingest.holding import Stopped
from tests.stores.ingest.queues import NOW, submission


async def test_who_stands_still_inside_copy_blocks_nobody(site, superuser, monkeypatch):
    """There the server waits without end, whatever its timeouts: it must not hold what others wait for."""
    scans = [scan() for _ in range(50)]
    one, two = (site.queues.accept(submission(site.company_id, *scans)) for _ in range(2))
    second = Recorder(site.queues, RecordStore(site.db), Epoch(site.queues), site.clock)
    async with Stopped(site.recorder.handle([one])).inside_copy(superuser, monkeypatch):
        async with asyncio.timeout(2):
            await second.handle([two])
            await PurgeStore(site.db).raise_floor(site.queues.epoch, 1, NOW)
        assert await site.record.stored() == sorted(each.scan_id for each in scans)

    assert await site.record.counted() == (50, 50)
    assert sum(usage.quantity for usage in site.queues.published.usage()) == 50
    assert site.queues.published.letters() == []


async def test_what_was_decided_meanwhile_comes_too_late(site, superuser, monkeypatch):
    """The floor is read after the scans were sent, however long that took."""
    delivery = site.queues.accept(submission(site.company_id, scan()))
    async with Stopped(site.recorder.handle([delivery])).inside_copy(superuser, monkeypatch):
        await PurgeStore(site.db).raise_floor(site.queues.epoch, 5, NOW.replace(second=59))
    assert await site.record.stored() == []
