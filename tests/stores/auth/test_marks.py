from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.auth.changes import Change, Kind
from services.auth.store_mark import MarkStore, mark, next_revision
from services.auth.tables import marks
from services.chassis.ids import uuid7
from tests.servers.polling import eventually


@pytest.fixture
def store(db):
    return MarkStore(db)


@pytest.fixture
def note(db, company_id, clock):
    """Commit a change with its mark."""

    async def noted(after=timedelta()):
        async with db.transaction(company_id=company_id) as connection:
            change = Change(
                change_id=uuid7(),
                kind=Kind.API_KEYS,
                company_id=company_id,
                revision=await next_revision(connection),
                change_time=clock(),
                holder_id=str(uuid7()),
                credential_ids=(str(uuid7()), str(uuid7())),
                active=False,
            )
            await mark(connection, change, after=after)
        return change

    return noted


async def time_passes(db, company_id, by):
    """Move a company's marks back, which for them is the same."""
    earlier = sa.update(marks).where(marks.c.company_id == company_id).values(due_time=marks.c.due_time - by)
    async with db.transaction(company_id=company_id) as connection:
        await connection.execute(earlier)


async def of(company_id, claiming):
    return [change for change in await claiming if change.company_id == company_id]


async def test_a_mark_is_what_was_noted_until_it_is_published(store, note, company_id):
    change = await note()
    assert change in await store.due(company_id)
    await store.published(change)
    assert change not in await store.due(company_id)


async def test_a_mark_is_claimed_by_one_replica_at_a_time(store, note, company_id):
    change = await note()
    claims = await asyncio.gather(*(of(company_id, store.claim(limit=1000)) for _ in range(4)))
    assert sum(change in claimed for claimed in claims) == 1


async def test_a_mark_that_somebody_is_at_is_skipped_not_waited_for(db, store, note, company_id):
    change = await note()
    free = await note()
    async with db.transaction(company_id=company_id) as connection:
        at_work = sa.select(marks).where(
            marks.c.company_id == company_id, marks.c.change_id == change.change_id
        )
        await connection.execute(at_work.with_for_update())
        async with asyncio.timeout(2):
            claimed = await store.claim(limit=1000)
    assert free in claimed
    assert change not in claimed


async def test_a_claim_ends_and_the_mark_is_free_again(store, note):
    change = await note()
    assert change in await store.claim(limit=1000)

    async def claimed_again():
        return change in await store.claim(limit=1000)

    assert not await claimed_again()
    await eventually(claimed_again, "the claim of a killed replica to end")


async def test_a_mark_that_is_not_due_is_left(db, store, note, company_id):
    change = await note(after=timedelta(seconds=60))
    assert change not in await store.due(company_id)
    assert change not in await store.claim(limit=1000)
    await time_passes(db, company_id, timedelta(seconds=60))
    assert change in await store.due(company_id)
    assert change in await store.claim(limit=1000)


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
async def test_a_mark_is_due_whatever_the_clock_of_its_replica_says(store, note, company_id, clock, ahead):
    clock.advance(ahead)
    change = await note()
    assert change in await store.due(company_id)
    assert change in await store.claim(limit=1000)


async def test_a_change_that_is_not_committed_leaves_no_mark(db, store, company_id, clock):
    change = Change(uuid7(), Kind.COMPANY, company_id, 1, clock())

    async def fail_after_marking():
        async with db.transaction(company_id=company_id) as connection:
            await mark(connection, change)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_marking()
    assert change not in await store.due(company_id)
