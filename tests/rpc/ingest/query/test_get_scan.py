from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

import pytest
from google.protobuf import timestamp_pb2
from scanmesh.ingest.v1 import query_pb2

from services.chassis import bus as buses
from services.chassis.bus import Outcome
from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied, Reason
from services.chassis.ids import message_id, uuid7
from services.chassis.settings import Secret
from services.chassis.subjects import SCANS, Lane, scan_accepted
from services.ingest.servicer_scan import Books
from tests.fakes import scans as made
from tests.fakes.identities import SCANNER_ID
from tests.rpc.ingest.query.conftest import NOW
from tests.servers import ports
from tests.servers.record import Lagging
from tests.servers.rpc import failure

OTHER_SCANNER = "0190163d-8694-739b-aea5-000000000002"


def get(scan_id, **others):
    return query_pb2.GetScanRequest(scan_id=str(scan_id), **others)


async def under_way(bus):
    """Have a message wait in SCANS that no recorder takes."""
    deadline = asyncio.get_running_loop().time() + 5
    subject = scan_accepted(Lane.BULK)
    outcome = await bus.publish(subject, b"", message_id=message_id(), deadline=deadline)
    assert outcome is Outcome.ACKED


async def test_a_scan_is_answered_with_what_the_server_added(scans, record, viewer, company_id):
    sent = made.scan(
        scan_time=timestamp_pb2.Timestamp(seconds=1_763_812_800, nanos=123_456_789),
        location="dock 4",
        attributes={"order_id": "7"},
    )
    await record.scan(NOW, sent=sent)
    answered = (await scans.GetScan(get(sent.scan_id.upper()), metadata=viewer)).scan
    assert (answered.company_id, answered.scanner_id) == (company_id, SCANNER_ID)
    assert (answered.kind, answered.lane, answered.region) == ("barcode", "premium", "local")
    assert answered.accept_time.ToDatetime(UTC) == NOW
    for field in ("company_id", "scanner_id", "kind", "lane", "region", "accept_time"):
        answered.ClearField(field)
    assert answered == sent


async def test_a_scan_without_a_time_is_answered_without(scans, record, viewer):
    sent = await record.scan(NOW)
    answered = (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan
    assert not answered.HasField("scan_time")


@pytest.mark.parametrize("scan_id", ["", "x", "\0", "01a21551984b7a4a91f90e3fb5e5686a"])
async def test_what_is_no_id_is_not_found(scans, viewer, scan_id):
    error = await failure(scans.GetScan(get(scan_id), metadata=viewer))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def test_what_was_never_accepted_is_not_found_for_good(scans, viewer):
    scan_id = str(uuid7())
    error = await failure(scans.GetScan(get(scan_id), metadata=viewer))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)
    assert error.metadata == {"scan_id": scan_id}


async def test_what_may_be_on_its_way_is_not_recorded_yet(scans, viewer, bus):
    await under_way(bus)
    error = await failure(scans.GetScan(get(uuid7()), metadata=viewer))
    assert (type(error), error.reason) == (NotFound, Reason.NOT_RECORDED_YET)
    assert error.retry_delay == timedelta(seconds=1)


async def test_a_scan_that_arrives_during_the_call_is_answered(scans, record, viewer, bus):
    sent = made.scan()
    await under_way(bus)
    call = asyncio.ensure_future(scans.GetScan(get(sent.scan_id), metadata=viewer))
    await record.scan(NOW, sent=sent)
    await bus.jetstream.purge_stream(SCANS.name)
    assert (await call).scan.scan_id == sent.scan_id


async def test_what_is_on_record_needs_no_waiting(scans, record, viewer, bus):
    sent = await record.scan(NOW)
    await under_way(bus)
    assert (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan.scan_id == sent.scan_id


class TestWithTheBusDown:
    @pytest.fixture
    async def bus(self):
        async with buses.connected(Secret(f"nats://127.0.0.1:{ports.free()}"), "tests") as connected:
            yield connected

    async def test_nothing_is_called_missing(self, scans, record, viewer):
        error = await failure(scans.GetScan(get(uuid7()), metadata=viewer))
        assert (error.reason, error.retry_delay) == (Reason.NOT_RECORDED_YET, timedelta(seconds=1))

    async def test_what_is_on_record_is_answered(self, scans, record, viewer):
        sent = await record.scan(NOW)
        assert (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan.scan_id == sent.scan_id


async def test_a_dead_scan_is_not_found_and_names_its_letter(scans, record, viewer, bus):
    letter = await record.dead(NOW)
    scan_id = str((await record.letter(letter)).scan_id)
    await under_way(bus)  # whatever else is on its way
    error = await failure(scans.GetScan(get(scan_id), metadata=viewer))
    assert (error.reason, error.retry_delay) == (Reason.NOT_FOUND, None)
    assert error.metadata == {"scan_id": scan_id, "dead_letter_id": str(letter)}


async def test_a_dead_scan_whose_letter_is_on_its_way_is_not_recorded_yet(scans, record, viewer, bus, worker):
    scan_id = uuid7()
    await record.dead(NOW, written=False, scan_id=scan_id)
    await under_way(bus)
    error = await failure(scans.GetScan(get(scan_id), metadata=viewer))
    assert error.reason is Reason.NOT_RECORDED_YET


@pytest.mark.parametrize("other", [{"index": 0}, {"message_id": "0" * 32}], ids=str)
async def test_the_letter_of_a_dead_scan_is_that_of_what_died(scans, record, viewer, other):
    """Another content under the same id was refused, before or after."""
    letter = await record.dead(NOW)
    row = (await record.letter(letter))._asdict()
    await record.forget(letter)
    for dead_letter_id, differs in ((uuid7(), other), (letter, {}), (uuid7(), other)):
        await record.write_letter(row | {"dead_letter_id": dead_letter_id} | differs)
    error = await failure(scans.GetScan(get(row["scan_id"]), metadata=viewer))
    assert error.metadata["dead_letter_id"] == str(letter)


async def test_a_scan_that_the_plan_no_longer_shows_is_not_found(scans, record, viewer, known_plans, clock):
    sent = await record.scan(NOW)
    known_plans.retention = timedelta(days=1)
    clock.advance(timedelta(days=1))
    assert (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan.scan_id == sent.scan_id
    clock.advance(timedelta(microseconds=1))
    error = await failure(scans.GetScan(get(sent.scan_id), metadata=viewer))
    assert (error.reason, error.retry_delay) == (Reason.NOT_FOUND, None)


async def test_a_scan_that_the_deduplication_has_forgotten_is_found(scans, record, viewer, known_plans):
    sent = await record.scan(NOW - timedelta(days=60), known=False)
    assert (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan.scan_id == sent.scan_id
    known_plans.retention = timedelta(days=59)
    error = await failure(scans.GetScan(get(sent.scan_id), metadata=viewer))
    assert error.reason is Reason.NOT_FOUND


async def test_a_scanner_sees_what_it_sent_and_not_that_there_is_more(scans, record, as_scanner):
    sent = await record.scan(NOW)
    own, other = as_scanner(SCANNER_ID), as_scanner(OTHER_SCANNER)
    assert (await scans.GetScan(get(sent.scan_id), metadata=own)).scan.scan_id == sent.scan_id
    error = await failure(scans.GetScan(get(sent.scan_id), metadata=other))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def test_a_scanner_learns_of_its_own_letters_only(scans, record, as_scanner):
    letter = await record.dead(NOW)
    scan_id = (await record.letter(letter)).scan_id
    own = await failure(scans.GetScan(get(scan_id), metadata=as_scanner(SCANNER_ID)))
    other = await failure(scans.GetScan(get(scan_id), metadata=as_scanner(OTHER_SCANNER)))
    assert (own.metadata.get("dead_letter_id"), other.metadata.get("dead_letter_id")) == (str(letter), None)


async def test_another_companys_scan_is_not_found(scans, record, stranger):
    sent = await record.scan(NOW)
    error = await failure(scans.GetScan(get(sent.scan_id), metadata=stranger))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def test_another_company_cannot_be_named(scans, record, stranger, company_id):
    sent = await record.scan(NOW)
    error = await failure(scans.GetScan(get(sent.scan_id, company_id=company_id), metadata=stranger))
    assert type(error) is PermissionDenied


async def test_a_platform_admin_names_the_company(scans, record, platform, company_id):
    sent = await record.scan(NOW)
    answer = await scans.GetScan(get(sent.scan_id, company_id=company_id), metadata=platform)
    assert answer.scan.scan_id == sent.scan_id
    error = await failure(scans.GetScan(get(sent.scan_id), metadata=platform))
    assert (type(error), [each.field for each in error.violations]) == (InvalidArgument, ["company_id"])


class TestWithAReplicaBehind:
    @pytest.fixture
    async def letter(self, record):
        """A letter that the replica knows."""
        return await record.dead(NOW)

    @pytest.fixture
    async def books(self, db, letter):
        async with Lagging.behind(db) as replica:
            yield Books.of(db, replica)

    async def test_a_scan_that_it_lacks_is_answered(self, scans, record, viewer):
        sent = await record.scan(NOW)
        assert (await scans.GetScan(get(sent.scan_id), metadata=viewer)).scan.scan_id == sent.scan_id

    async def test_a_scan_that_is_dead_there_only_is_answered(self, scans, record, viewer, letter):
        await record.revive(letter)
        scan_id = str((await record.letter(letter)).scan_id)
        assert (await scans.GetScan(get(scan_id), metadata=viewer)).scan.scan_id == scan_id

    async def test_lists_come_from_it(self, scans, record, viewer):
        await record.scan(NOW)
        answer = await scans.ListScans(query_pb2.ListScansRequest(), metadata=viewer)
        assert list(answer.scans) == []
