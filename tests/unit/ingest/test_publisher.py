from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import deadline
from services.chassis.bus import MAX_PAYLOAD_BYTES, Outcome
from services.chassis.subjects import Lane
from services.ingest import scan as rules
from services.ingest.in_flight import InFlight
from services.ingest.publisher import MAX_MESSAGE_BYTES, PUBLISH_SECONDS, ScanPublisher
from tests.fakes import identities
from tests.fakes.bus import RecordingBus
from tests.fakes.scans import scan, scan_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KIB = 1_024
ROOM = 64 * KIB * KIB


def decoded(bus: RecordingBus) -> list[events_pb2.ScansAccepted]:
    return [events_pb2.ScansAccepted.FromString(message.payload) for message in bus.offered]


def scans_in(bus: RecordingBus) -> list[scan_pb2.Scan]:
    return [
        each for message in decoded(bus) for submission in message.submissions for each in submission.scans
    ]


async def publish(bus: RecordingBus, scans: list[scan_pb2.Scan], **identity: object) -> list[Outcome]:
    return await ScanPublisher(bus, InFlight(ROOM)).publish(
        identities.scanner(**identity), Lane.PREMIUM, scans, NOW
    )


async def test_a_message_says_who_sent_its_scans_where_and_when() -> None:
    bus, scans = RecordingBus(), [scan(location="a"), scan(location="b")]
    assert await publish(bus, scans) == [Outcome.ACKED] * 2
    (message,) = bus.stored
    assert message.subject == "scan.accepted.v1.premium"
    assert len(message.message_id) == 32
    expected = events_pb2.ScansAccepted(derivation_version=1)
    expected.submissions.add(
        company_id=identities.COMPANY_ID, scanner_id=identities.SCANNER_ID, region="local", scans=scans
    ).accept_time.FromDatetime(NOW)
    assert decoded(bus) == [expected]


async def test_nothing_is_published_for_no_scans() -> None:
    bus = RecordingBus()
    assert await publish(bus, []) == []
    assert bus.offered == []


async def test_small_scans_travel_in_one_message() -> None:
    bus = RecordingBus()
    assert await publish(bus, [scan() for _ in range(1_000)]) == [Outcome.ACKED] * 1_000
    assert len(bus.offered) == 1


async def test_the_answers_are_those_of_each_scans_message() -> None:
    bus = RecordingBus()
    scans = [scan_of(200 * KIB) for _ in range(5)]  # two to a message
    fates = {0: Outcome.ACKED, 1: Outcome.REFUSED, 2: Outcome.UNKNOWN}
    bus.fate = lambda message: fates[bus.offered.index(message)]
    assert await publish(bus, scans) == [
        Outcome.ACKED,
        Outcome.ACKED,
        Outcome.REFUSED,
        Outcome.REFUSED,
        Outcome.UNKNOWN,
    ]
    assert len({message.message_id for message in bus.offered}) == 3


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(
        st.one_of(st.integers(0, 2_000), st.integers(60 * KIB, 256 * KIB), st.integers(255 * KIB, 256 * KIB)),
        max_size=14,
    ),
    region=st.text("abcdefghij", min_size=1, max_size=64),
)
async def test_every_scan_travels_once_in_order_in_messages_that_fit(sizes: list[int], region: str) -> None:
    bus, scans = RecordingBus(), [scan_of(size) for size in sizes]
    assert await publish(bus, scans, region=region) == [Outcome.ACKED] * len(scans)
    assert scans_in(bus) == scans
    assert all(len(message.payload) <= MAX_MESSAGE_BYTES for message in bus.offered)
    held = [len(message.submissions[0].scans) for message in decoded(bus)]
    firsts = [scans[sum(held[: index + 1])] for index in range(len(held) - 1)]
    # No message was closed too early: the next scan would not have fitted (envelope and lengths: 200 bytes).
    for message, following in zip(bus.offered, firsts, strict=False):
        assert len(message.payload) + following.ByteSize() + 200 > MAX_MESSAGE_BYTES


@pytest.mark.parametrize("below", range(40))
async def test_two_scans_that_fill_a_message_to_the_byte_do_not_overfill_it(below: int) -> None:
    bus = RecordingBus()
    await publish(bus, [scan_of(256 * KIB - 60 - below), scan_of(256 * KIB)])
    assert all(len(message.payload) <= MAX_MESSAGE_BYTES for message in bus.offered)


TEXT = st.text(max_size=300)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        scan,
        location=TEXT,
        operator=TEXT,
        data=st.text(max_size=4_400),
        attributes=st.dictionaries(
            st.text(max_size=66),
            st.one_of(TEXT, st.sampled_from([character * 1_024 for character in "x😀\0"])),
            max_size=66,
        ),
    )
)
async def test_whatever_has_no_violation_fits_onto_the_bus_unchanged(submitted: scan_pb2.Scan) -> None:
    rules.normalise(submitted)
    if rules.violations(submitted, NOW):
        return
    bus = RecordingBus()
    assert await publish(bus, [submitted]) == [Outcome.ACKED]
    assert scans_in(bus) == [submitted]
    assert len(bus.offered[0].payload) <= MAX_MESSAGE_BYTES <= MAX_PAYLOAD_BYTES


async def test_the_largest_scan_fits_into_one_message() -> None:
    largest = scan_of(rules.MAX_BYTES)
    assert rules.violations(largest, NOW, max_attribute_value=rules.MAX_BYTES) == ()
    bus = RecordingBus()
    assert await publish(bus, [largest, largest], region="r" * 64) == [Outcome.ACKED] * 2
    assert all(len(message.payload) <= MAX_MESSAGE_BYTES for message in bus.offered)


async def test_a_publish_ends_before_its_callers_deadline() -> None:
    deadlines = []

    class Clocked(RecordingBus):
        async def publish(self, *args: object, deadline: float, **others: object) -> Outcome:
            deadlines.append(deadline)
            return await super().publish(*args, deadline=deadline, **others)

    at = deadline.begin(4)
    await publish(Clocked(), [scan()])
    (by,) = deadlines
    assert at - 0.5 <= by < at


async def test_after_its_callers_deadline_nothing_is_published() -> None:
    bus = RecordingBus()
    deadline.begin(timedelta(milliseconds=1).total_seconds())
    assert await publish(bus, [scan()]) == [Outcome.REFUSED]
    assert bus.stored == []


async def test_requests_that_come_while_messages_are_under_way_travel_together() -> None:
    bus, room = RecordingBus(), InFlight(ROOM)
    publisher = ScanPublisher(bus, room)
    bus.open.clear()
    sent = [scan(location=str(number)) for number in range(6)]

    def begin(number: int) -> asyncio.Task[list[Outcome]]:
        identity = identities.scanner(company_id=number + 1)
        return asyncio.create_task(publisher.publish(identity, Lane.BULK, [sent[number]], NOW))

    publishing = []
    for several in ([0], [1], [2, 3, 4, 5]):
        publishing += [begin(number) for number in several]
        await asyncio.sleep(0.01)
    assert [len(message.submissions) for message in decoded(bus)] == [1, 1]
    bus.open.set()
    assert await asyncio.gather(*publishing) == [[Outcome.ACKED]] * 6
    assert [len(message.submissions) for message in decoded(bus)] == [1, 1, 4]
    together = decoded(bus)[2]
    assert together.derivation_version == 1
    assert [submission.company_id for submission in together.submissions] == [3, 4, 5, 6]
    assert scans_in(bus) == sent


async def test_without_a_bus_nobody_waits_behind_those_who_still_try() -> None:
    bus = RecordingBus()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    bus.open.clear()
    trying = []
    for _ in range(2):
        trying.append(asyncio.create_task(publisher.publish(identities.scanner(), Lane.BULK, [scan()], NOW)))
        await asyncio.sleep(0.01)
    bus.up = False
    async with asyncio.timeout(0.5):
        assert await publisher.publish(identities.scanner(), Lane.BULK, [scan()], NOW) == [Outcome.REFUSED]
    bus.open.set()
    await asyncio.gather(*trying)


async def test_nothing_is_published_longer_than_ten_seconds_after_any_of_its_scans_came() -> None:
    deadlines = []

    class Clocked(RecordingBus):
        async def publish(self, *args: Any, deadline: float, **others: Any) -> Outcome:
            deadlines.append(deadline)
            return await super().publish(*args, deadline=deadline, **others)

    bus, loop = Clocked(), asyncio.get_running_loop()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    bus.open.clear()
    begun = loop.time()

    async def begin(seconds: float) -> list[Outcome]:
        deadline.begin(seconds)
        return await publisher.publish(identities.scanner(), Lane.BULK, [scan()], NOW)

    publishing = []
    for _ in range(3):  # two messages are under way, the third waits
        publishing.append(asyncio.create_task(begin(8)))
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    publishing.append(asyncio.create_task(begin(60)))  # and one who would wait for longer comes to it
    await asyncio.sleep(0.01)
    bus.open.set()
    assert await asyncio.gather(*publishing) == [[Outcome.ACKED]] * 4
    assert len(deadlines) == 3
    assert deadlines[2] == pytest.approx(begun + 0.02 + PUBLISH_SECONDS, abs=0.1)


async def test_a_shared_message_holds_no_more_scans_than_a_batch_may() -> None:
    bus = RecordingBus()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    publishing = [
        publisher.publish(identities.scanner(), Lane.BULK, [scan() for _ in range(count)], NOW)
        for count in (600, 400, 1, 1_000)
    ]
    await asyncio.gather(*publishing)
    held = [sum(len(each.scans) for each in message.submissions) for message in decoded(bus)]
    assert held == [1_000, 1, 1_000]


async def test_no_lane_waits_for_another() -> None:
    bus = RecordingBus()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    bus.open.clear()
    publishing = []
    for lane in (Lane.BULK, Lane.BULK, Lane.BULK, Lane.PREMIUM):
        publishing.append(asyncio.create_task(publisher.publish(identities.scanner(), lane, [scan()], NOW)))
        await asyncio.sleep(0.01)
    assert [message.subject for message in bus.offered] == [
        "scan.accepted.v1.bulk",
        "scan.accepted.v1.bulk",
        "scan.accepted.v1.premium",
    ]
    bus.open.set()
    await asyncio.gather(*publishing)


async def test_messages_of_many_requests_hold_no_more_than_one_may() -> None:
    bus = RecordingBus()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    bus.open.clear()
    publishing = [
        asyncio.create_task(publisher.publish(identities.scanner(), Lane.BULK, [scan_of(200 * KIB)], NOW))
        for _ in range(7)
    ]
    await asyncio.sleep(0.01)
    bus.open.set()
    await asyncio.gather(*publishing)
    assert [len(message.submissions) for message in decoded(bus)] == [2, 2, 2, 1]
    assert all(len(message.payload) <= MAX_MESSAGE_BYTES for message in bus.offered)


async def test_a_request_whose_time_ends_before_its_message_has_left_is_not_stored_and_says_so() -> None:
    bus = RecordingBus()
    publisher = ScanPublisher(bus, InFlight(ROOM))
    bus.open.clear()
    first = []
    for _ in range(2):
        first.append(asyncio.create_task(publisher.publish(identities.scanner(), Lane.BULK, [scan()], NOW)))
        await asyncio.sleep(0.01)
    deadline.begin(0.4)
    late = await asyncio.create_task(publisher.publish(identities.scanner(), Lane.BULK, [scan()], NOW))
    assert late == [Outcome.REFUSED]
    bus.open.set()
    await asyncio.gather(*first)
    await asyncio.sleep(0.01)
    assert len(bus.offered) == 2


async def test_a_request_whose_time_ends_while_its_message_is_under_way_knows_nothing() -> None:
    bus = RecordingBus()
    bus.open.clear()
    deadline.begin(0.4)
    assert await publish(bus, [scan()]) == [Outcome.UNKNOWN]
