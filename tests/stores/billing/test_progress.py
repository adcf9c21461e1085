"""The watermark in PostgreSQL, and the totals that it makes certain, in the real bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.billing.v1 import usage_pb2

from services.billing.events import ledger_total
from services.billing.periods import cell_of
from services.billing.progress import Progress
from services.billing.publisher import Publisher
from services.billing.store_progress import ProgressStore
from services.billing.store_subscription import SubscriptionStore
from services.billing.totals import Total
from services.chassis import ids, subjects
from services.chassis.keyvalue import Bucket
from services.chassis.subjects import TOTALS, Meter
from tests.fakes import billing
from tests.stores.billing import streams

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
CELL = timedelta(seconds=10)
NEW = ""
"""The bucket that a new ledger begins with."""

pytestmark = pytest.mark.usefixtures("unmoved")


@pytest.fixture
def store(worker):
    return ProgressStore(worker)


@pytest.fixture
def publisher(bus, worker, catalogue):
    return Publisher(bus, SubscriptionStore(worker, catalogue))


@pytest.fixture
def progress(bus, store, publisher):
    return Progress(bus, store, publisher, lambda: NOW)


async def told(bus, company_id):
    entry = await Bucket(bus, TOTALS).get(str(company_id))
    return usage_pb2.LedgerTotal.FromString(entry.value) if entry else None


async def test_the_watermark_only_moves_on(store):
    assert await store.advance(NOW)
    assert not await store.advance(NOW - CELL)
    assert not await store.advance(NOW)
    assert (await store.untold(NEW)).watermark_time == NOW


async def test_those_are_to_tell_whose_entries_it_has_passed_since(store, ledger, company_id):
    """And those whose entries came late."""
    await ledger.append([billing.entry(company_id, cell_time=NOW - CELL)], NOW)
    await ledger.append([billing.entry(company_id + 1, cell_time=NOW + CELL)], NOW)
    await store.advance(NOW)
    assert company_id in (await store.untold(NEW)).company_ids
    assert company_id + 1 not in (await store.untold(NEW)).company_ids
    await store.told(NOW, NOW + timedelta(minutes=1), NEW)
    assert await store.untold(NEW) is None

    await store.advance(NOW + 2 * CELL)
    await ledger.append([billing.entry(company_id + 2, cell_time=NOW - CELL)], NOW + timedelta(minutes=2))
    untold = set((await store.untold(NEW)).company_ids)
    assert {company_id + 1, company_id + 2} <= untold
    assert company_id not in untold


async def test_with_empty_queues_it_comes_within_a_cell_of_fifteen_seconds_ago(progress, store):
    await progress.look()
    assert (await store.untold(NEW)).watermark_time == NOW - timedelta(seconds=20)


async def test_usage_on_its_way_holds_it_back(bus, progress, store):
    await bus.publish(
        subjects.usage_recorded(Meter.SCANS), b"x", message_id=ids.message_id(), deadline=float("inf")
    )
    await progress.look()
    assert await store.untold(NEW) is None


async def test_totals_are_told_as_far_as_the_watermark(bus, progress, ledger, company_id):
    before, after = NOW - timedelta(seconds=30), NOW - timedelta(seconds=20)
    await ledger.append(
        [billing.entry(company_id, quantity=5, cell_time=before), billing.entry(company_id, cell_time=after)],
        NOW,
    )
    await progress.look()
    await progress.tell()
    total = await told(bus, company_id)
    assert (total.company_id, total.period, total.quantity) == (company_id, "2026-11", 5)
    assert total.watermark_time.ToDatetime(UTC) == NOW - timedelta(seconds=20)
    assert await told(bus, company_id + 1) is None


async def test_a_total_of_the_month_before_gives_way_when_the_watermark_enters_the_next(
    bus, progress, store, ledger, company_id
):
    december = datetime(2026, 12, 1, tzinfo=UTC)
    await ledger.append([billing.entry(company_id, quantity=5, cell_time=december - 2 * CELL)], december)
    await store.advance(december - CELL)
    await progress.tell()
    assert (await told(bus, company_id)).period == "2026-11"
    await ledger.append([billing.entry(company_id, quantity=2, cell_time=december - CELL)], december)
    await store.advance(december)
    await progress.tell()
    total = await told(bus, company_id)
    assert (total.period, total.quantity) == ("2026-12", 0)


async def test_a_bucket_that_was_made_anew_is_told_the_totals_of_the_month(
    bus, progress, store, ledger, company_id
):
    """Though the watermark stands still, and nothing has changed."""
    october = NOW - timedelta(days=31)
    await ledger.append([billing.entry(company_id, quantity=5, cell_time=NOW - 60 * CELL)], NOW)
    await ledger.append([billing.entry(company_id + 1, cell_time=cell_of(october))], NOW)
    await progress.look()
    await progress.tell()
    await streams.make_anew(bus, TOTALS)
    assert await told(bus, company_id) is None
    await progress.tell()
    assert (await told(bus, company_id)).quantity == 5
    assert await told(bus, company_id + 1) is None
    assert await store.untold((await bus.state(TOTALS)).epoch) is None


async def test_totals_told_to_a_bucket_that_is_lost_meanwhile_are_told_again(store, ledger, company_id):
    """The epoch is looked up before: it is the lost one's, however late that is noted."""
    await ledger.append([billing.entry(company_id, cell_time=NOW - CELL)], NOW)
    await store.advance(NOW)
    await store.told(NOW, NOW, "new")
    await store.told(NOW, NOW, "lost")
    assert company_id in (await store.untold("new")).company_ids
    await store.told(NOW, NOW, "new")
    assert await store.untold("new") is None


async def test_an_older_total_never_follows_a_newer_one(bus, publisher, company_id):
    newer = Total(company_id, "2026-11", 9, NOW, NOW)
    await publisher.total(newer)
    await publisher.total(Total(company_id, "2026-11", 5, NOW - CELL, NOW))
    entry = await Bucket(bus, TOTALS).get(str(company_id))
    assert entry.value == ledger_total(newer)
