from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.billing import store_ledger, tables
from services.billing.store_subscription import SubscriptionStore
from services.billing.subscriptions import State, Subscription
from tests.fakes import billing
from tests.servers.polling import eventually

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
CREATED = NOW - timedelta(days=30)


@pytest.fixture
def store(app, catalogue):
    return SubscriptionStore(app, catalogue)


@pytest.fixture
def first(company_id):
    return Subscription(company_id, "starter", State.ACTIVE, CREATED)


async def percents(db, company_id):
    query = sa.select(tables.thresholds.c.percent).where(tables.thresholds.c.company_id == company_id)
    async with db.transaction() as connection:
        return sorted((await connection.execute(query)).scalars())


async def test_a_company_that_never_subscribed_has_none(store, company_id):
    assert await store.find(company_id) is None


async def test_another_plan_begins_now(store, company_id, first):
    changed = await store.update(company_id, {"plan": "professional"}, NOW, first=first)
    assert (changed.plan, changed.state, changed.start_time) == ("professional", State.ACTIVE, NOW)
    assert await store.find(company_id) == changed


async def test_an_end_leaves_the_plan_and_its_beginning(store, company_id, first):
    changed = await store.update(company_id, {"state": State.ENDED}, NOW, first=first)
    assert (changed.plan, changed.state, changed.start_time) == ("starter", State.ENDED, CREATED)


async def test_what_changes_nothing_keeps_its_revision(store, company_id, first):
    changed = await store.update(company_id, {"plan": "professional"}, NOW, first=first)
    again = await store.update(company_id, {"plan": "professional"}, NOW + timedelta(1), first=changed)
    assert again == changed
    back = await store.update(company_id, {"plan": "starter"}, NOW, first=changed)
    assert back.revision > changed.revision


async def test_a_subscription_of_the_default_plan_is_stored_once_it_is_chosen(store, company_id, first):
    chosen = await store.update(company_id, {"plan": "starter"}, NOW, first=first)
    assert chosen.revision > 0
    assert chosen.start_time == CREATED


async def test_two_changes_at_once_both_count(store, company_id, first):
    await asyncio.gather(
        store.update(company_id, {"plan": "professional"}, NOW, first=first),
        store.update(company_id, {"state": State.ENDED}, NOW, first=first),
    )
    stored = await store.find(company_id)
    assert (stored.plan, stored.state) == ("professional", State.ENDED)


async def test_a_change_is_untold_until_its_revision_is_told(store, worker, catalogue, company_id, first):
    everybody = SubscriptionStore(worker, catalogue)
    one = await store.update(company_id, {"plan": "professional"}, NOW, first=first)
    two = await store.update(company_id, {"plan": "enterprise"}, NOW, first=first)
    await store.told(company_id, one.revision, "epoch")
    assert company_id in await everybody.untold("epoch", limit=1_000)
    await store.told(company_id, two.revision, "epoch")
    await store.told(company_id, one.revision, "epoch")  # a slow replica
    assert company_id not in await everybody.untold("epoch", limit=1_000)


async def test_what_was_told_to_a_bucket_of_another_epoch_is_untold(
    store, worker, catalogue, company_id, first
):
    everybody = SubscriptionStore(worker, catalogue)
    changed = await store.update(company_id, {"plan": "professional"}, NOW, first=first)
    await store.told(company_id, changed.revision, "lost")
    assert company_id in await everybody.untold("anew", limit=1_000)
    await store.told(company_id, changed.revision, "anew")
    assert company_id not in await everybody.untold("anew", limit=1_000)
    await store.told(company_id, changed.revision, "lost")  # a slow replica: nobody knows which it has told
    assert company_id in await everybody.untold("anew", limit=1_000)


async def test_a_smaller_plan_finds_its_quota_reached(store, worker, ledger, company_id, first):
    await store.update(company_id, {"plan": "professional"}, NOW, first=first)
    await ledger.append([billing.entry(company_id, quantity=90_000)], NOW)
    assert await percents(worker, company_id) == []
    await store.update(company_id, {"plan": "starter"}, NOW, first=first)
    assert await percents(worker, company_id) == [80]


async def test_the_ledger_goes_by_the_plan_of_the_moment(store, worker, ledger, company_id, first):
    await store.update(company_id, {"plan": "enterprise"}, NOW, first=first)
    await ledger.append([billing.entry(company_id, quantity=10**9)], NOW)
    assert await percents(worker, company_id) == []


async def test_a_change_of_plan_in_the_middle_of_the_ledger_misses_no_threshold(
    store, worker, ledger, superuser, first
):
    """The ledger has added up and asked for the plan when that changes, and commits only then."""
    professional = await store.update(first.company_id, {"plan": "professional"}, NOW, first=first)
    entry = billing.entry(first.company_id, quantity=90_000)

    async def waits_or_is_done():
        waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        async with superuser.transaction() as watching:
            return changing.done() or (await watching.execute(waiting)).scalar_one() > 0

    async with worker.transaction() as connection:
        quantities = await store_ledger._add_up(connection, [entry])
        assert await ledger._thresholds(connection, quantities, NOW) == []
        change = store.update(first.company_id, {"plan": "starter"}, NOW, first=professional)
        changing = asyncio.create_task(change)
        await eventually(waits_or_is_done, "the change to wait for the ledger")
    await changing
    assert await percents(worker, first.company_id) == [80]
