from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import events_pb2, ingest_pb2, scan_pb2

from services.chassis import wire
from services.chassis.bus import Outcome
from services.chassis.errors import InvalidArgument, PermissionDenied, Reason, Unavailable
from services.chassis.identity import Signer
from services.chassis.subjects import Lane
from tests.fakes import identities
from tests.fakes.bus import RecordingBus
from tests.fakes.plans import FakePlans
from tests.fakes.scans import scan
from tests.rpc.ingest import published
from tests.rpc.ingest.conftest import ACCEPTED
from tests.servers.polling import eventually
from tests.servers.rpc import broken, failure, signed


def request(submitted: scan_pb2.Scan, **others: bool) -> ingest_pb2.SubmitScanRequest:
    return ingest_pb2.SubmitScanRequest(scan=submitted, **others)


async def test_a_scan_on_disk_is_answered_with_its_id_and_when(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = scan(location="Dock 4")
    answer = await ingest.SubmitScan(request(sent), metadata=scanner)
    assert answer.scan_id == sent.scan_id
    assert answer.accept_time.ToDatetime(UTC) == ACCEPTED
    assert published.scans(bus) == [sent]


async def test_an_id_in_upper_case_is_answered_and_published_in_lower_case(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = scan()
    lower = sent.scan_id
    sent.scan_id = lower.upper()
    assert (await ingest.SubmitScan(request(sent), metadata=scanner)).scan_id == lower
    assert [each.scan_id for each in published.scans(bus)] == [lower]


async def test_a_message_names_the_caller_the_route_and_the_acceptance(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = scan(scan_time=wire.timestamp(ACCEPTED - timedelta(hours=1)), attributes={"order_id": "7"})
    await ingest.SubmitScan(request(sent), metadata=scanner)
    (message,) = bus.stored
    assert message.subject == "scan.accepted.v1.premium"
    expected = events_pb2.ScansAccepted(derivation_version=1)
    expected.submissions.add(
        company_id=identities.COMPANY_ID,
        scanner_id=identities.SCANNER_ID,
        region="local",
        accept_time=wire.timestamp(ACCEPTED),
        scans=[sent],
    )
    assert published.decode(message) == expected


async def test_a_scan_time_that_was_not_sent_is_not_made_up(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    await ingest.SubmitScan(request(scan()), metadata=scanner)
    assert not published.scans(bus)[0].HasField("scan_time")


async def test_what_only_the_server_says_cannot_be_said_by_a_device(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = scan()
    forged = scan(
        scan_id=sent.scan_id,
        company_id=99,
        scanner_id="other",
        kind="document",
        lane="premium",
        region="moon",
        accept_time=wire.timestamp(ACCEPTED),
    )
    await ingest.SubmitScan(request(forged), metadata=scanner)
    assert published.scans(bus) == [sent]
    assert [each.company_id for each in published.submissions(bus)] == [identities.COMPANY_ID]


@pytest.mark.parametrize("lane", ["premium", "standard"])
async def test_a_scan_travels_in_its_companys_lane_unless_it_may_wait(
    ingest: Any, bus: RecordingBus, signer: Signer, lane: str
) -> None:
    metadata = signed(signer, identities.scanner(lane=lane))
    await ingest.SubmitScan(request(scan()), metadata=metadata)
    await ingest.SubmitScan(request(scan(), bulk=True), metadata=metadata)
    assert [message.subject for message in bus.stored] == [
        f"scan.accepted.v1.{lane}",
        "scan.accepted.v1.bulk",
    ]


@pytest.mark.parametrize(("heard", "lane"), [(Lane.PREMIUM, "premium"), (None, "standard")])
async def test_where_auth_has_not_heard_of_the_plan_ingest_may_have(  # noqa: PLR0917 - fixtures
    ingest: Any, bus: RecordingBus, plans: FakePlans, signer: Signer, heard: Lane | None, lane: str
) -> None:
    plans.subscribe(identities.COMPANY_ID, lane=heard)
    await ingest.SubmitScan(request(scan()), metadata=signed(signer, identities.scanner(lane="")))
    assert [message.subject for message in bus.stored] == [f"scan.accepted.v1.{lane}"]


BROKEN = [
    (scan_pb2.Scan(), ["scan_id", "payload"]),
    (scan(data="x" * 4_297), ["barcode.data"]),
    (scan(location="x" * 257, operator="\0"), ["location", "operator"]),
    (scan(scan_time=wire.timestamp(ACCEPTED - timedelta(days=36))), ["scan_time"]),
    (scan(attributes={"k" * 65: "v"}), ["attributes"]),
    (scan(attributes={"k": "v" * 1_025}), ["attributes.k"]),
]


@pytest.mark.parametrize(("sent", "fields"), BROKEN)
async def test_a_broken_scan_is_refused_for_good_with_all_that_is_wrong(
    ingest: Any, bus: RecordingBus, scanner: Any, sent: scan_pb2.Scan, fields: list[str]
) -> None:
    error = await failure(ingest.SubmitScan(request(sent), metadata=scanner))
    assert (type(error), error.reason, error.retry_delay) == (InvalidArgument, Reason.INVALID_ARGUMENT, None)
    assert [violation.field for violation in error.violations] == fields
    assert all(field in error.message for field in fields)
    assert bus.offered == []


async def test_a_request_without_a_scan_is_a_scan_without_anything(ingest: Any, scanner: Any) -> None:
    error = await failure(ingest.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=scanner))
    assert [violation.field for violation in error.violations] == ["scan_id", "payload"]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
async def test_a_scan_not_known_to_be_on_disk_is_to_be_sent_again(
    ingest: Any, bus: RecordingBus, scanner: Any, outcome: Outcome
) -> None:
    bus.fate = lambda _: outcome
    error = await failure(ingest.SubmitScan(request(scan()), metadata=scanner))
    assert (type(error), error.reason) == (Unavailable, Reason.NOT_DURABLE)
    assert error.retry_delay is not None
    assert timedelta(seconds=2) <= error.retry_delay <= timedelta(seconds=4)
    assert error.violations == ()


async def test_with_the_bus_down_a_scan_is_not_durable_and_nothing_is_published_later(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    bus.up = False
    error = await failure(ingest.SubmitScan(request(scan()), metadata=scanner))
    assert error.reason is Reason.NOT_DURABLE
    bus.up = True
    after = scan()
    await ingest.SubmitScan(request(after), metadata=scanner)
    assert published.scans(bus) == [after]


async def test_a_caller_that_hangs_up_does_not_stop_the_publish(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    bus.open.clear()
    sent = scan()
    call = ingest.SubmitScan(request(sent), metadata=scanner)

    async def begun() -> bool:
        return bool(bus.offered)

    async def stored() -> bool:
        return bool(bus.stored)

    await eventually(begun, "the publish to begin")
    call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED
    bus.open.set()
    await eventually(stored, "the publish to end")
    assert published.scans(bus) == [sent]


async def test_a_caller_whose_time_is_up_does_not_stop_the_publish(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    bus.open.clear()
    sent = scan()
    error = await failure(ingest.SubmitScan(request(sent), metadata=scanner, timeout=0.6))
    assert (type(error), error.reason) == (Unavailable, Reason.NOT_DURABLE)
    assert error.retry_delay is not None
    bus.open.set()
    assert [message.subject for message in bus.offered] == ["scan.accepted.v1.premium"]


async def test_a_fault_of_the_bus_is_a_fault(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    def fail(_: object) -> Outcome:
        raise RuntimeError("a fault")

    bus.fate = fail
    error = await broken(ingest.SubmitScan(request(scan()), metadata=scanner))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "retry-after" in dict(error.trailing_metadata())


async def test_an_operator_submits_nothing(ingest: Any, bus: RecordingBus, signer: Signer) -> None:
    metadata = signed(signer, identities.operator())
    for call in (
        ingest.SubmitScan(request(scan()), metadata=metadata),
        ingest.SubmitScans(ingest_pb2.SubmitScansRequest(scans=[scan()]), metadata=metadata),
    ):
        assert type(await failure(call)) is PermissionDenied
    assert bus.offered == []


async def test_many_calls_at_once_are_each_answered_for_their_own_scan(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    sent = [scan(data=str(number)) for number in range(50)]
    answers = await asyncio.gather(*(ingest.SubmitScan(request(each), metadata=scanner) for each in sent))
    assert [answer.scan_id for answer in answers] == [each.scan_id for each in sent]
    assert sorted(each.scan_id for each in published.scans(bus)) == sorted(each.scan_id for each in sent)
