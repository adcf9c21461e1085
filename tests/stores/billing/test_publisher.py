"""What billing tells, and what was left untold, on a real bus."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.billing import tables
from services.billing.left_behind import LeftBehind
from services.billing.publisher import Publisher
from services.billing.store_subscription import SubscriptionStore
from services.billing.store_threshold import ThresholdStore
from services.billing.subscriptions import State, Subscription
from services.chassis import subjects
from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.keyvalue import Bucket
from services.chassis.plans import COMPLETE, UNKNOWN, Plans, company_key, plan_key
from services.chassis.subjects import PLANS
from tests.fakes import billing
from tests.servers.polling import eventually
from tests.stores.billing import streams

LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


@pytest.fixture
def store(worker, catalogue):
    return SubscriptionStore(worker, catalogue)


@pytest.fixture
def publisher(bus, store):
    return Publisher(bus, store)


@pytest.fixture
async def subscribe(app, catalogue, company_id):
    first = Subscription(company_id, "starter", State.ACTIVE, NOW)

    async def subscribed(**values):
        return await SubscriptionStore(app, catalogue).update(company_id, values, NOW, first=first)

    return subscribed


@pytest.fixture
def thresholds(worker):
    return ThresholdStore(worker)


@pytest.fixture
def process(publisher, store, thresholds, catalogue):
    """Start a process that tells what is left, with a publisher as it is or another one."""
    return lambda publisher=publisher: LeftBehind(publisher, store, thresholds, catalogue)


@pytest.fixture
def left_behind(process):
    return process()


@pytest.fixture
def spend(ledger, company_id):
    """Use a number of scans."""

    async def spent(quantity):
        await ledger.append([billing.entry(company_id, quantity=quantity)], NOW)

    return spent


@pytest.fixture(autouse=True)
async def quiet(superuser):
    """Have nothing left of other tests."""
    async with superuser.transaction() as connection:
        await connection.execute(sa.delete(tables.subscriptions))
        await connection.execute(sa.update(tables.thresholds).values(published=True))


@asynccontextmanager
async def listening(bus):
    """Hear what a process hears that starts now."""
    plans = Plans(bus)
    running = asyncio.create_task(plans.run())
    try:
        async with asyncio.timeout(5):
            await plans.loaded.wait()
        yield plans
    finally:
        running.cancel()


async def complete(bus):
    entry = await Bucket(bus, PLANS).get(COMPLETE)
    return entry.value.decode() if entry else None


async def told(bus, company_id):
    entry = await Bucket(bus, PLANS).get(company_key(company_id))
    return events_pb2.SubscriptionChanged.FromString(entry.value) if entry else None


async def test_the_plans_are_offered_and_only_told_again_when_they_change(bus, publisher, catalogue):
    await publisher.offer(catalogue)
    before = (await bus.state(PLANS)).last_sequence
    await publisher.offer(catalogue)
    assert (await bus.state(PLANS)).last_sequence == before
    entry = await Bucket(bus, PLANS).get(plan_key("starter"))
    offered = events_pb2.PlanOffered.FromString(entry.value)
    assert (offered.plan.plan, offered.is_default, offered.plan.scan_quota) == ("starter", True, 100_000)
    entry = await Bucket(bus, PLANS).get(plan_key("enterprise"))
    assert not events_pb2.PlanOffered.FromString(entry.value).is_default


async def test_others_hear_of_plans_and_subscriptions(bus, left_behind, subscribe, company_id):
    await subscribe(plan="professional", state=State.ENDED)
    await left_behind.tell()
    async with listening(bus) as plans:
        assert (plans.of(company_id).name, plans.of(company_id).ended) == ("professional", True)
        assert (plans.of(company_id + 1).name, plans.of(company_id + 1).ended) == ("starter", False)


async def test_nobody_takes_silence_for_the_default_plan_before_all_is_told(
    bus, publisher, left_behind, catalogue, company_id
):
    await publisher.offer(catalogue)
    async with listening(bus) as plans:
        assert (plans.of(company_id), plans.complete) == (UNKNOWN, False)
        await left_behind.tell()

        async def heard():
            return plans.complete

        await eventually(heard, "the plans to be complete")
        assert plans.of(company_id).name == "starter"


async def test_the_plans_are_complete_only_when_nothing_is_left_untold(bus, store, subscribe, process):
    class Halting(Publisher):
        async def subscription(self, company_id, epoch):
            raise Unavailable("away")

    await subscribe(plan="professional")
    with pytest.raises(Unavailable):
        await process(Halting(bus, store)).tell()
    assert await complete(bus) is None
    await process().tell()
    assert await complete(bus) == (await bus.state(PLANS)).epoch


async def test_a_bucket_that_was_made_anew_is_told_everything(
    bus, left_behind, subscribe, company_id, superuser
):
    """More companies than are told at once; the process lives on."""
    changed = await subscribe(plan="professional")
    columns = [column for column in tables.subscriptions.columns if column.name != "company_id"]
    others = sa.select(sa.func.generate_series(900_000, 900_049), *columns)
    async with superuser.transaction() as connection:
        await connection.execute(
            sa.insert(tables.subscriptions).from_select(["company_id", *columns], others)
        )
    await left_behind.tell()
    await streams.make_anew(bus, PLANS)
    assert (await told(bus, company_id), await complete(bus)) == (None, None)
    await left_behind.tell()
    assert (await told(bus, company_id)).revision == changed.revision
    assert None not in [await told(bus, each) for each in range(900_000, 900_050)]
    assert await complete(bus) == (await bus.state(PLANS)).epoch
    async with listening(bus) as plans:
        assert (plans.of(company_id).name, plans.of(company_id + 1).name) == ("professional", "starter")


async def test_a_bucket_that_is_made_anew_while_it_is_told_is_not_complete(bus, publisher):
    epoch = await publisher.epoch()
    await streams.make_anew(bus, PLANS)
    with pytest.raises(Unavailable):
        await publisher.complete(epoch)
    assert await complete(bus) is None


async def test_what_is_complete_is_told_once(bus, left_behind, process):
    await left_behind.tell()
    before = (await bus.state(PLANS)).last_sequence
    await left_behind.tell()
    await process().tell()  # another replica
    assert (await bus.state(PLANS)).last_sequence == before


async def test_the_newest_subscription_is_told_however_many_tell_it(
    bus, publisher, store, subscribe, company_id
):
    epoch = await publisher.epoch()
    for plan in ("professional", "enterprise", "starter", "professional"):
        changed = await subscribe(plan=plan)
        await asyncio.gather(*(publisher.subscription(company_id, epoch) for _ in range(4)))
        entry = await told(bus, company_id)
        assert (entry.plan, entry.revision) == (plan, changed.revision)
        assert entry.state == billing_pb2.SUBSCRIPTION_STATE_ACTIVE
    assert company_id not in await store.untold(epoch, limit=1_000)


async def test_what_was_left_untold_is_told(bus, left_behind, thresholds, spend, subscribe):
    changed = await subscribe(plan="professional")
    await spend(1_000_000)
    await left_behind.tell()
    assert (await told(bus, changed.company_id)).revision == changed.revision
    assert await thresholds.untold(limit=100) == []
    assert (await bus.state(subjects.CONTROL)).messages == 2
    await left_behind.tell()
    assert (await bus.state(subjects.CONTROL)).messages == 2


async def test_a_threshold_is_told_as_an_event(bus, left_behind, spend, company_id):
    await spend(80_000)
    await left_behind.tell()
    async for event in bus.follow(subjects.CONTROL, since=LONG_AGO, silence=timedelta(seconds=5)):
        reached = events_pb2.QuotaReached.FromString(event.payload)
        break
    assert event.subject == subjects.QUOTA_REACHED
    assert (reached.company_id, reached.period, reached.percent) == (company_id, "2026-11", 80)
    assert (reached.scan_quota, reached.reach_time.ToDatetime(UTC)) == (100_000, NOW)


async def test_a_threshold_that_is_told_again_is_the_same_event(bus, publisher, thresholds, spend):
    await spend(80_000)
    (threshold,) = await thresholds.untold(limit=100)
    await publisher.threshold(threshold)
    await publisher.threshold(threshold)  # its mark was lost with the process
    assert (await bus.state(subjects.CONTROL)).messages == 1


async def test_without_the_bus_everything_stays_to_be_told(store, thresholds, process, spend, subscribe):
    class Away(Bus):
        async def state(self, stream):
            raise Unavailable("away")

    changed = await subscribe(plan="professional")
    await spend(1_000_000)
    with pytest.raises(Unavailable):
        await process(Publisher(Away(None), store)).tell()
    assert changed.company_id in await store.untold("", limit=100)
    assert len(await thresholds.untold(limit=100)) == 2
