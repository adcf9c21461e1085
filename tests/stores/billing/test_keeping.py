"""The ledger process as it runs: usage on the bus ends up in the ledger, once, and the rest in dead letters."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.billing import tables
from services.billing.__main__ import keeping
from services.chassis import background, clock, ids, subjects
from services.chassis.bus import Outgoing
from services.chassis.keyvalue import Bucket
from services.chassis.plans import COMPLETE
from services.chassis.subjects import PLANS, Meter
from tests.fakes import billing
from tests.servers.polling import eventually

SUBJECT = subjects.usage_recorded(Meter.SCANS)


@pytest.fixture
async def processes(bus, worker, catalogue):
    """Two processes at the same queue."""
    ended = asyncio.Event()
    work = [each for _ in range(2) for each in keeping(worker, bus, catalogue, clock.now)]
    async with background.running(ended.set, *work):
        yield
        assert not ended.is_set()


async def drained(bus):
    return (await bus.state(subjects.USAGE)).messages == 0


async def total(db, company_id):
    query = sa.select(tables.totals.c.quantity).where(tables.totals.c.company_id == company_id)
    async with db.transaction() as connection:
        return (await connection.execute(query)).scalar_one_or_none()


async def test_usage_is_counted_once_however_often_it_is_reported(processes, bus, worker, company_id):
    payloads = [billing.payload(billing.event(company_id, quantity=1)) for _ in range(50)]
    messages = [Outgoing(SUBJECT, payload, ids.message_id()) for payload in payloads * 3]
    await bus.hand_over(messages)
    await eventually(lambda: drained(bus), "USAGE to be worked off")
    assert await total(worker, company_id) == 50


async def test_a_poison_message_becomes_a_letter_and_its_neighbours_go_on(processes, bus, worker, company_id):
    good = billing.payload(billing.event(company_id, quantity=1))
    bad = billing.payload(billing.event(company_id, quantity=1), billing.event(company_id, kind=""))
    await bus.hand_over(Outgoing(SUBJECT, each, ids.message_id()) for each in (good, bad, b"\xff"))

    async def counted():
        return await total(worker, company_id) == 1

    await eventually(counted, "the good message to be counted")
    await eventually(lambda: drained(bus), "the bad ones to be buried", seconds=20)
    assert (await bus.state(subjects.DEADLETTER)).messages == 2
    assert await total(worker, company_id) == 1


async def test_the_plans_are_complete_soon_after_the_start(processes, bus):
    async def complete():
        return await Bucket(bus, PLANS).get(COMPLETE) is not None

    await eventually(complete, "the plans to be complete", seconds=3)


async def test_a_reached_quota_is_told(processes, bus, company_id):
    payload = billing.payload(billing.event(company_id, quantity=100_000))
    await bus.hand_over([Outgoing(SUBJECT, payload, ids.message_id())])

    async def told():
        return (await bus.state(subjects.CONTROL)).messages >= 2

    await eventually(told, "both thresholds to be told")
