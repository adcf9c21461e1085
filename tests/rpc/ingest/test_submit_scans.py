from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from services.chassis import wire
from services.chassis.bus import Outcome
from services.chassis.errors import InvalidArgument, Reason, Unavailable
from tests.fakes.bus import Message, RecordingBus
from tests.fakes.scans import good_scan_of, scan, scan_of
from tests.rpc.ingest import published
from tests.rpc.ingest.conftest import ACCEPTED
from tests.servers.polling import eventually
from tests.servers.rpc import failure

LATE = wire.timestamp(ACCEPTED - timedelta(days=36))
KIB = 1_024
DELAY = timedelta(seconds=2)


def request(scans: Sequence[scan_pb2.Scan], **others: bool) -> ingest_pb2.SubmitScansRequest:
    return ingest_pb2.SubmitScansRequest(scans=scans, **others)


def holds(message: Message, sent: scan_pb2.Scan) -> bool:
    return sent.scan_id.encode() in message.payload


async def test_a_batch_on_disk_is_answered_with_its_count(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = [scan(data=str(number)) for number in range(10)]
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert answer == ingest_pb2.SubmitScansResponse(accepted_count=10)
    assert published.scans(bus) == sent
    assert len(bus.stored) == 1


async def test_a_bad_scan_does_not_sink_the_good_ones(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    sent = [scan(), scan_pb2.Scan(), scan(), scan(scan_time=LATE, location="\0"), scan()]
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert answer.accepted_count == 3
    assert [(each.index, each.scan_id, each.reason) for each in answer.rejections] == [
        (1, "", "INVALID_ARGUMENT"),
        (3, sent[3].scan_id, "INVALID_ARGUMENT"),
    ]
    assert [[violation.field for violation in each.violations] for each in answer.rejections] == [
        ["scan_id", "payload"],
        ["scan_time", "location"],
    ]
    assert all(violation.description for each in answer.rejections for violation in each.violations)
    assert not any(each.HasField("retry_delay") for each in answer.rejections)
    assert published.scans(bus) == [sent[0], sent[2], sent[4]]


async def test_a_batch_of_bad_scans_only_is_answered_scan_by_scan(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    answer = await ingest.SubmitScans(request([scan(data=""), scan_pb2.Scan()]), metadata=scanner)
    assert answer.accepted_count == 0
    assert [each.index for each in answer.rejections] == [0, 1]
    assert bus.offered == []


async def test_an_empty_batch_is_refused(ingest: Any, scanner: Any) -> None:
    error = await failure(ingest.SubmitScans(request([]), metadata=scanner))
    assert (type(error), error.reason, error.retry_delay) == (InvalidArgument, Reason.INVALID_ARGUMENT, None)
    assert [violation.field for violation in error.violations] == ["scans"]


async def test_a_batch_has_at_most_1000_scans(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    sent = [scan() for _ in range(1_001)]
    error = await failure(ingest.SubmitScans(request(sent), metadata=scanner))
    assert (type(error), error.reason, error.retry_delay) == (InvalidArgument, Reason.BATCH_TOO_LARGE, None)
    assert bus.offered == []
    answer = await ingest.SubmitScans(request(sent[:1_000]), metadata=scanner)
    assert answer == ingest_pb2.SubmitScansResponse(accepted_count=1_000)
    assert published.scans(bus) == sent[:1_000]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
async def test_of_several_messages_only_the_scans_of_the_failed_one_are_to_be_sent_again(
    ingest: Any, bus: RecordingBus, scanner: Any, outcome: Outcome
) -> None:
    sent = [
        good_scan_of(200 * KIB),
        good_scan_of(200 * KIB),
        scan(data=""),
        good_scan_of(200 * KIB),
        good_scan_of(200 * KIB),
    ]
    bus.fate = lambda message: outcome if holds(message, sent[3]) else Outcome.ACKED
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert len(bus.offered) == 2
    assert answer.accepted_count == 2
    assert [(each.index, each.scan_id, each.reason) for each in answer.rejections] == [
        (2, sent[2].scan_id, "INVALID_ARGUMENT"),
        (3, sent[3].scan_id, "NOT_DURABLE"),
        (4, sent[4].scan_id, "NOT_DURABLE"),
    ]
    assert [each.HasField("retry_delay") for each in answer.rejections] == [False, True, True]
    assert DELAY <= answer.rejections[1].retry_delay.ToTimedelta() <= 2 * DELAY
    assert not answer.rejections[1].violations
    assert published.scans(bus) == sent[:2]


async def test_the_order_of_rejections_is_that_of_the_request(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = [
        good_scan_of(200 * KIB),
        scan(data=""),
        good_scan_of(200 * KIB),
        scan(data=""),
        good_scan_of(200 * KIB),
    ]
    bus.fate = lambda message: Outcome.REFUSED if holds(message, sent[0]) else Outcome.ACKED
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert [(each.index, each.reason) for each in answer.rejections] == [
        (0, "NOT_DURABLE"),
        (1, "INVALID_ARGUMENT"),
        (2, "NOT_DURABLE"),
        (3, "INVALID_ARGUMENT"),
    ]


async def test_with_the_bus_down_the_whole_batch_is_to_be_sent_again(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    bus.up = False
    error = await failure(ingest.SubmitScans(request([scan(), scan()]), metadata=scanner))
    assert (type(error), error.reason) == (Unavailable, Reason.NOT_DURABLE)
    assert error.retry_delay is not None
    assert timedelta(seconds=2) <= error.retry_delay <= timedelta(seconds=4)
    assert bus.stored == []


async def test_with_the_bus_down_a_bad_scan_is_still_told_apart(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    bus.up = False
    answer = await ingest.SubmitScans(request([scan(), scan(data="")]), metadata=scanner)
    assert answer.accepted_count == 0
    assert [(each.index, each.reason, each.HasField("retry_delay")) for each in answer.rejections] == [
        (0, "NOT_DURABLE", True),
        (1, "INVALID_ARGUMENT", False),
    ]


async def test_a_bulk_batch_travels_in_the_bulk_lane(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    await ingest.SubmitScans(request([scan()], bulk=True), metadata=scanner)
    await ingest.SubmitScans(request([scan()]), metadata=scanner)
    assert [message.subject for message in bus.stored] == [
        "scan.accepted.v1.bulk",
        "scan.accepted.v1.premium",
    ]


async def test_the_same_scan_twice_in_a_batch_travels_twice(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    """The recorder decides which one it was; nothing is deduplicated before."""
    sent = scan()
    answer = await ingest.SubmitScans(request([sent, sent]), metadata=scanner)
    assert answer.accepted_count == 2
    assert published.scans(bus) == [sent, sent]


async def test_forged_fields_of_a_batch_are_gone(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    sent = scan()
    forged = scan(scan_id=sent.scan_id, company_id=99, lane="bulk", accept_time=LATE)
    await ingest.SubmitScans(request([forged]), metadata=scanner)
    assert published.scans(bus) == [sent]


async def test_the_answer_to_the_worst_batch_fits_what_a_client_takes(ingest: Any, scanner: Any) -> None:
    """gRPC's clients take answers of 4 MiB: a larger one would fail there, and be asked for again for ever."""
    attributes = {f"\0{'k' * 28}{number:02}": "\0" for number in range(64)}
    worst = scan_pb2.Scan(scan_id="x" * 1_000, location="\0", operator="\0", attributes=attributes)
    sent = [worst] * 1_000
    while ingest_pb2.SubmitScansRequest(scans=sent).ByteSize() > 4 * 2**20:
        sent.pop()
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert len(answer.rejections) == len(sent)
    assert answer.ByteSize() < 4 * 2**20
    assert [violation.field for violation in answer.rejections[0].violations][:3] == [
        "scan_id",
        "location",
        "operator",
    ]


async def test_a_batch_of_4_mib_is_taken(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    sent = [good_scan_of(200 * KIB) for _ in range(19)]
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert answer == ingest_pb2.SubmitScansResponse(accepted_count=19)
    assert published.scans(bus) == sent
    assert max(len(message.payload) for message in bus.stored) <= 512 * KIB


async def test_a_scan_that_is_too_large_as_a_whole_is_a_violation_of_it(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = [scan(), scan_of(256 * KIB + 1)]
    answer = await ingest.SubmitScans(request(sent), metadata=scanner)
    assert [violation.field for violation in answer.rejections[0].violations] == ["attributes.k", "scan"]
    assert published.scans(bus) == [sent[0]]


async def test_more_than_there_is_room_for_is_overloaded_and_comes_again(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    """There is room for 8 MiB, so two batches of 3 MiB can be published at once, and no third one."""
    sent = request([good_scan_of(200 * KIB) for _ in range(15)])

    async def two_messages_are_offered() -> bool:
        return len(bus.offered) == 2

    bus.open.clear()
    begun = [ingest.SubmitScans(sent, metadata=scanner) for _ in range(2)]
    await eventually(two_messages_are_offered, "the first messages to be offered")
    await asyncio.sleep(0.2)  # the second batch waits behind them
    error = await failure(ingest.SubmitScans(sent, metadata=scanner))
    assert (type(error), error.reason) == (Unavailable, Reason.OVERLOADED)
    assert error.retry_delay
    bus.open.set()
    assert [(await call).accepted_count for call in begun] == [15, 15]
    assert (await ingest.SubmitScans(sent, metadata=scanner)).accepted_count == 15
