from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from benchmarks import pace
from benchmarks.chaos.companies import Fleet, Tenant
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import Sender
from benchmarks.chaos.parcel import Parcel, Route
from benchmarks.chaos.traffic import Traffic
from benchmarks.client import answer
from benchmarks.client.answer import ACCEPTED
from benchmarks.scan import Scan
from benchmarks.tenants import Device

DEVICE = Device(1, "01890a5d-ac96-774b-bcce-b302099a8057", "key")
FLEET = Fleet(
    tuple(
        Tenant(company_id, "standard", (Device(company_id, DEVICE.scanner_id, "key"),))
        for company_id in (1, 2, 3, 4)
    )
)
SOON, SLOW = answer.refusal("NOT_DURABLE", 0.0), answer.refusal("NOT_DURABLE", 30.0)


class Scripted:
    """Connections that say what they are told to, attempt by attempt."""

    def __init__(self, *script):
        self._script = list(script)
        self.sent = []

    async def send(self, parcel, scans):
        self.sent.append([scan.scan_id for scan in scans])
        said = self._script.pop(0)
        return [said(scan) if callable(said) else said for scan in scans]


async def deliver(clients: Scripted, scans, seconds: float = 60.0) -> Journal:
    journal = Journal()
    until = asyncio.get_running_loop().time() + seconds
    sender = Sender(clients, journal, Random(1), until)
    await sender.deliver(Parcel(DEVICE, tuple(scans), Route.HTTP_BATCH, "standard"))
    assert sender.has_room(1)
    return journal


async def test_only_what_is_to_be_sent_again_is_sent_again():
    one, two, bad = Scan(), Scan(), Scan(good=False)
    drop = answer.refusal("INVALID_ARGUMENT", None)
    first = {one: ACCEPTED, two: SOON, bad: drop}
    clients = Scripted(first.__getitem__, SOON, ACCEPTED)
    journal = await deliver(clients, [one, two, bad])
    assert clients.sent == [[scan.scan_id for scan in (one, two, bad)], [two.scan_id], [two.scan_id]]
    assert len(journal.claims().accepted) == 2
    assert journal.breaches == []


async def test_a_device_stops_when_the_run_is_over_and_says_so():
    clients = Scripted(answer.refusal("QUOTA_EXCEEDED", 3600.0))
    journal = await deliver(clients, [Scan()])
    assert len(clients.sent) == 1
    assert len(journal.claims().refused) == 1


async def test_a_device_that_has_given_up_keeps_nothing():
    clients = Scripted(answer.refusal("QUOTA_EXCEEDED", 3600.0))
    await deliver(clients, [Scan() for _ in range(300)])  # asserts that there is room again


async def test_a_forgetful_device_sends_a_scan_once():
    clients, scan = Scripted(SOON), Scan()
    sender = Sender(clients, Journal(), Random(1), asyncio.get_running_loop().time() + 60.0)
    await sender.deliver(Parcel(DEVICE, (scan,), Route.HTTP_SINGLE, "standard", once=True))
    assert clients.sent == [[scan.scan_id]]


async def test_the_devices_of_a_company_have_room_for_so_many_scans():
    scans = [Scan() for _ in range(300)]
    late = scans[0]
    rest_arrived = asyncio.Event()

    def said(scan):
        return SLOW if scan is late else ACCEPTED

    class Clients(Scripted):
        async def send(self, parcel, scans):
            await rest_arrived.wait()
            return await super().send(parcel, scans)

    journal = Journal()
    sender = Sender(Clients(said), journal, Random(1), asyncio.get_running_loop().time() + 60.0)
    delivery = asyncio.ensure_future(
        sender.deliver(Parcel(DEVICE, tuple(scans), Route.HTTP_BATCH, "standard"))
    )
    await asyncio.sleep(0)
    assert (sender.has_room(1), sender.has_room(2)) == (False, True)
    await sender.take(Parcel(DEVICE, (Scan(), Scan()), Route.HTTP_BATCH, "standard"))
    assert (journal.withheld, journal.offered) == (2, 300)
    rest_arrived.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert sender.has_room(1)
    assert not delivery.done()  # the last of them waits for its time
    delivery.cancel()


def parcels(seed: int, number: int = 600):
    traffic = Traffic(FLEET, Random(seed))
    return [parcel for _ in range(number) for parcel in traffic.next()]


def test_the_mix_has_everything_that_devices_do():
    sent = parcels(1)
    assert {parcel.route for parcel in sent} == set(Route)
    assert {parcel.bulk for parcel in sent} == {parcel.hurried for parcel in sent} == {True, False}
    contents = Counter(
        (parcel.device.company_id, scan.scan_id, scan.location) for parcel in sent for scan in parcel.scans
    )
    ids = Counter((company_id, scan_id) for company_id, scan_id, _ in contents)
    assert max(contents.values()) > 1  # sent again
    assert max(ids.values()) > 1  # as another scan
    assert any(len(parcel.scans) > len(set(parcel.scans)) for parcel in sent)  # twice in a batch
    assert {parcel.once for parcel in sent if parcel.device.company_id == 4} == {True}
    assert [count for (company_id, _, _), count in contents.items() if company_id == 4 and count > 1] == []
    companies: dict[str, set[int]] = {}
    for company_id, scan_id in ids:
        companies.setdefault(scan_id, set()).add(company_id)
    assert {1, 2} in companies.values()  # twins
    assert any(not scan.good for parcel in sent for scan in parcel.scans)
    assert any(len({scan.good for scan in parcel.scans}) == 2 for parcel in sent)


def test_the_same_seed_sends_the_same_kinds():
    shapes = [
        [
            (parcel.route, parcel.device.company_id, len(parcel.scans), parcel.bulk)
            for parcel in parcels(seed, 100)
        ]
        for seed in (1, 1, 2)
    ]
    assert shapes[0] == shapes[1] != shapes[2]


async def test_an_open_loop_does_not_wait_for_answers():
    loop = asyncio.get_running_loop()
    start, dues, all_begun = loop.time(), [], asyncio.Event()

    async def fire(due):
        assert loop.time() >= due
        dues.append(round(due - start, 2))
        if len(dues) == 10:
            all_begun.set()
        await all_begun.wait()

    async with asyncio.timeout(10):
        await pace.at_rate(100, 0.1, fire)
    assert dues == [number / 100 for number in range(10)]


async def test_a_call_that_fails_ends_the_pace():
    async def fire(_):
        raise ValueError

    with pytest.raises(ExceptionGroup):
        await pace.at_rate(100, 0.05, fire)
