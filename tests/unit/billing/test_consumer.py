from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from scanmesh.ingest.v1 import events_pb2

from services.billing.consumer import UsageHandler
from services.billing.ledger import UsageUnreadable
from services.billing.store_ledger import Appended
from services.chassis import subjects
from services.chassis.errors import Unavailable
from services.chassis.pull import Delivery
from services.chassis.subjects import Meter
from tests.fakes import billing

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
GOOD = billing.payload(billing.event(), billing.event())


class Ledger:
    def __init__(self, **appended):
        self.entries = []
        self.appended = {"new": 0, "contradicting": (), "reached": False, **appended}

    async def append(self, entries, now):
        self.entries += entries
        return Appended(**self.appended)


class Refusing(Ledger):
    async def append(self, entries, now):
        raise ArithmeticError("out of range")


class Bus:
    def __init__(self):
        self.handed_over = []

    async def hand_over(self, messages):
        self.handed_over += messages


class Broken(Bus):
    async def hand_over(self, messages):
        raise Unavailable("away")


def handler(ledger, bus=None, woken=None):
    wake = lambda: woken.append(True)  # noqa: E731
    return UsageHandler(bus or Bus(), ledger, Meter.SCANS, lambda: NOW, wake=wake)


def delivery(payload=GOOD, message_id="m-1"):
    return Delivery(subjects.usage_recorded(Meter.SCANS), payload, message_id, 5, 1, NOW)


async def test_all_events_of_a_fetch_go_into_the_ledger_at_once():
    ledger = Ledger()
    await handler(ledger).handle([delivery(), delivery(billing.payload(billing.event()))])
    assert len(ledger.entries) == 3


async def test_nothing_of_a_fetch_with_an_unreadable_message_is_taken():
    ledger = Ledger()
    with pytest.raises(UsageUnreadable):
        await handler(ledger).handle([delivery(), delivery(b"\xff")])
    assert ledger.entries == []


async def test_a_reached_threshold_is_told_at_once():
    woken = []
    await handler(Ledger(reached=True), woken=woken).handle([delivery()])
    await handler(Ledger(), woken=woken).handle([delivery()])
    assert woken == [True]


async def test_a_contradiction_wakes_somebody(caplog):
    (entry,) = (billing.entry(),)
    await handler(Ledger(contradicting=((7, entry.event_id),))).handle([delivery()])
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert record.event_id == str(entry.event_id)
    assert record.company_id == 7


@pytest.mark.parametrize("payload", [b"\xff", billing.payload(billing.event(company_id=0), billing.event())])
async def test_an_unreadable_message_is_buried_with_its_bytes(payload):
    bus, ledger = Bus(), Ledger()
    await handler(ledger, bus).bury(delivery(payload), 3)
    (outgoing,) = bus.handed_over
    letter = events_pb2.DeadLetterWritten.FromString(outgoing.payload)
    assert outgoing.subject == subjects.DEAD_LETTER_WRITTEN
    assert (letter.company_id, letter.consumer, letter.tries) == (0, "billing_ledger", 3)
    assert letter.reason == "REQUEST_MALFORMED"
    assert (letter.payload, letter.message_id) == (payload, "m-1")
    assert ledger.entries == []


async def test_a_letter_that_is_written_again_is_the_same_letter():
    bus = Bus()
    for message_id in ("m-1", "m-1", "m-2"):
        await handler(Ledger(), bus).bury(delivery(b"\xff", message_id), 3)
    first, again, other = (
        events_pb2.DeadLetterWritten.FromString(each.payload).dead_letter_id for each in bus.handed_over
    )
    assert first == again != other


@pytest.mark.parametrize("tries", [3, 6, 1_000])
async def test_a_readable_message_is_taken_in_after_all(tries):
    bus, ledger = Bus(), Ledger()
    await handler(ledger, bus).bury(delivery(), tries)
    assert len(ledger.entries) == 2
    assert bus.handed_over == []


@pytest.mark.parametrize("tries", [3, 6, 1_000])
async def test_a_readable_message_is_never_given_up(tries):
    bus, ledger = Bus(), Refusing()
    with pytest.raises(ArithmeticError):
        await handler(ledger, bus).bury(delivery(), tries)
    assert bus.handed_over == []


async def test_a_letter_that_is_not_written_keeps_the_message():
    with pytest.raises(Unavailable):
        await handler(Ledger(), Broken()).bury(delivery(b"\xff"), 3)
