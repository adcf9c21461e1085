"""The ledger holds each event once, and its totals are the sum of it."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from services.billing import tables
from services.billing.store_ledger import LedgerStore
from services.billing.store_threshold import ThresholdStore
from services.billing.store_usage import UsageStore
from services.chassis.ids import uuid7
from tests.fakes import billing

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


async def rows(db, table, company_id):
    async with db.transaction() as connection:
        query = sa.select(table).where(table.c.company_id == company_id)
        return (await connection.execute(query)).all()


async def quantity(db, company_id, period="2026-11"):
    """Answer the total and the sum of the ledger."""
    totals = {row.period: row.quantity for row in await rows(db, tables.totals, company_id)}
    entries = await rows(db, tables.ledger, company_id)
    return totals.get(period, 0), sum(row.quantity for row in entries if row.period == period)


async def test_an_entry_is_stored_as_it_came(ledger, worker, company_id):
    entry = billing.entry(company_id, quantity=5)
    appended = await ledger.append([entry], NOW)
    assert (appended.new, appended.contradicting, appended.reached) == (1, (), False)
    (row,) = await rows(worker, tables.ledger, company_id)
    assert row.event_id == entry.event_id
    assert (row.quantity, row.period, row.kind, row.region, row.lane) == (
        *(5, "2026-11"),
        *("barcode", "local", "standard"),
    )
    assert row.scanners == {billing.SCANNER_ID: 5}
    assert (row.cell_time, row.record_time) == (billing.CELL, NOW)


async def test_an_event_that_comes_again_counts_once(ledger, worker, company_id):
    first, second = billing.entry(company_id, quantity=5), billing.entry(company_id, quantity=2)
    assert (await ledger.append([first, first], NOW)).new == 1
    assert (await ledger.append([second, first], NOW)).new == 1
    assert (await ledger.append([first, second], NOW)).new == 0
    assert await quantity(worker, company_id) == (7, 7)


async def test_two_ledgers_with_the_same_events_count_them_once(ledger, worker, catalogue, company_id):
    other = LedgerStore(worker, catalogue)
    entries = [billing.entry(company_id + index % 3, quantity=1) for index in range(60)]
    shuffled = random.Random(1)
    batches = [shuffled.sample(entries, 40) for _ in range(20)] + [entries]
    await asyncio.gather(*((ledger, other)[i % 2].append(batch, NOW) for i, batch in enumerate(batches)))
    for index in range(3):
        assert await quantity(worker, company_id + index) == (20, 20)


async def test_an_event_with_other_content_is_told_and_the_first_one_stays(ledger, worker, company_id):
    first = billing.event(company_id, quantity=5)
    other = billing.entry(company_id, quantity=6, event_id=first.event_id)
    same = billing.entry(company_id, quantity=5, event_id=first.event_id)
    await ledger.append([same], NOW)
    key = (company_id, other.event_id)
    assert (await ledger.append([other, same], NOW)).contradicting == (key,)
    assert await quantity(worker, company_id) == (5, 5)


async def test_other_content_in_the_same_fetch_is_told_as_well(ledger, worker, company_id):
    event_id = str(uuid7())
    first, other = (billing.entry(company_id, quantity=each, event_id=event_id) for each in (5, 6))
    assert (await ledger.append([first, other], NOW)).contradicting == ((company_id, first.event_id),)
    assert await quantity(worker, company_id) == (5, 5)


async def test_the_same_event_id_of_two_companies_is_two_events(ledger, worker, company_id):
    event_id = str(uuid7())
    entries = [billing.entry(company_id + each, event_id=event_id) for each in range(2)]
    assert (await ledger.append(entries, NOW)).new == 2


async def test_a_month_ends_with_the_accept_time_however_late_the_row(ledger, worker, company_id):
    december = datetime(2026, 12, 1, tzinfo=UTC)
    entries = [
        billing.entry(company_id, quantity=1, cell_time=december - timedelta(seconds=10)),
        billing.entry(company_id, quantity=2, cell_time=december),
    ]
    await ledger.append(entries, december + timedelta(days=3))
    assert await quantity(worker, company_id, "2026-11") == (1, 1)
    assert await quantity(worker, company_id, "2026-12") == (2, 2)


async def test_many_entries_at_once_are_all_counted(ledger, worker, company_id):
    entries = [billing.entry(company_id, quantity=1) for _ in range(2_500)]
    assert (await ledger.append(entries, NOW)).new == 2_500
    assert (await ledger.append(entries, NOW)).new == 0
    assert await quantity(worker, company_id) == (2_500, 2_500)


async def test_thresholds_are_noted_once_each(ledger, worker, company_id):
    before = []
    for used, percents in ((79_999, []), (1, [80]), (1, [80]), (19_999, [80, 100]), (1, [80, 100])):
        appended = await ledger.append([billing.entry(company_id, quantity=used)], NOW)
        assert appended.reached == (percents != before)
        before = percents
        noted = await rows(worker, tables.thresholds, company_id)
        assert sorted(row.percent for row in noted) == percents
    untold = [
        each for each in await ThresholdStore(worker).untold(limit=100) if each.company_id == company_id
    ]
    assert {(each.period, each.percent, each.scan_quota) for each in untold} == {
        ("2026-11", 80, 100_000),
        ("2026-11", 100, 100_000),
    }
    await ThresholdStore(worker).told(untold[0])
    await ledger.append([billing.entry(company_id)], NOW)
    left = [each for each in await ThresholdStore(worker).untold(limit=100) if each.company_id == company_id]
    assert left == untold[1:]


async def test_what_is_certain_is_what_was_accepted_before_the_watermark(ledger, app, worker, company_id):
    """Each total is taken from the database as it was when the watermark stood there."""
    store = UsageStore(app)
    cells = [billing.CELL + timedelta(seconds=10) * index for index in range(4)]
    await ledger.append(
        [billing.entry(company_id, quantity=10**index, cell_time=cell) for index, cell in enumerate(cells)],
        NOW,
    )
    for index, cell in enumerate(cells):
        async with worker.transaction() as connection:
            await connection.execute(
                sa.update(tables.watermarks).values(
                    watermark_time=cell, told_watermark_time=cell - timedelta(days=99)
                )
            )
        total = await store.total(company_id, "2026-11", NOW)
        assert (total.quantity, total.watermark_time) == (int("1" * index or "0"), cell)
    assert (await store.total(company_id, "2026-12", NOW)).quantity == 0
    assert (await store.counted(company_id, "2026-11")).quantities == {"scans": 1_111}
