from __future__ import annotations

import secrets
from datetime import UTC, timedelta
from uuid import UUID

import pytest
from scanmesh.ingest.v1 import events_pb2, query_pb2, scan_pb2

from services.chassis import bus as buses
from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied, Reason, Unavailable
from services.chassis.ids import uuid7
from services.chassis.settings import Secret
from services.chassis.subjects import RECORDED, SCANS
from tests.fakes.identities import SCANNER_ID
from tests.rpc.ingest.query.conftest import NOW
from tests.servers import ports
from tests.servers.rpc import failure

MINUTE = timedelta(minutes=1)
EVENT_ID = "0190163d-8694-839b-aea5-966c26f8ad91"


def replay(*letters, **others):
    return query_pb2.ReplayDeadLettersRequest(dead_letter_ids=map(str, letters), **others)


async def stored(bus, stream):
    """Read what a stream holds."""
    state = await bus.state(stream)
    numbers = range(state.first_sequence, state.last_sequence + 1)
    return [await bus.jetstream.get_msg(stream.name, number) for number in numbers]


async def listed(scans, metadata, **others):
    answer = await scans.ListDeadLetters(query_pb2.ListDeadLettersRequest(**others), metadata=metadata)
    return [UUID(each.dead_letter_id) for each in answer.dead_letters], answer.next_page_token


async def test_letters_are_listed_newest_first_page_by_page(scans, record, admin):
    made = [await record.dead(NOW - minutes * MINUTE) for minutes in (2, 0, 1, 1)]
    same = sorted(made[2:], reverse=True)
    first, token = await listed(scans, admin, page_size=2)
    assert first == [made[1], same[0]]
    await record.dead(NOW + MINUTE)
    assert await listed(scans, admin, page_size=2, page_token=token) == ([same[1], made[0]], "")


async def test_a_letter_says_what_died_of_whom_and_why(scans, record, admin):
    letter = await record.dead(NOW, consumer="enrichment_barcode", tries=3)
    answer = await scans.ListDeadLetters(query_pb2.ListDeadLettersRequest(), metadata=admin)
    shown = answer.dead_letters[0]
    assert shown.scan_id == str((await record.letter(letter)).scan_id)
    assert (shown.consumer, shown.reason, shown.tries) == ("enrichment_barcode", "INTERNAL", 3)
    assert shown.fail_time.ToDatetime(UTC) == NOW


async def test_a_letter_whose_scan_lives_again_is_not_listed(scans, record, admin):
    letter, other = await record.dead(NOW), await record.dead(NOW)
    await record.revive(letter)
    assert await listed(scans, admin) == ([other], "")


async def test_letters_are_for_admins_of_the_company(scans, record, viewer, stranger, as_scanner):
    letter = await record.dead(NOW)
    for metadata in (viewer, as_scanner(SCANNER_ID)):
        for call in (
            scans.ListDeadLetters(query_pb2.ListDeadLettersRequest(), metadata=metadata),
            scans.ReplayDeadLetters(replay(letter), metadata=metadata),
        ):
            assert type(await failure(call)) is PermissionDenied
    assert await listed(scans, stranger) == ([], "")
    named = query_pb2.ListDeadLettersRequest(company_id=record.company_id)
    assert type(await failure(scans.ListDeadLetters(named, metadata=stranger))) is PermissionDenied


async def test_a_platform_admin_names_the_company_and_never_nobody(scans, record, platform):
    """Messages that could not be read are kept as company 0's."""
    letter = await record.dead(NOW)
    assert await listed(scans, platform, company_id=record.company_id) == ([letter], "")
    error = await failure(
        scans.ListDeadLetters(query_pb2.ListDeadLettersRequest(company_id=0), metadata=platform)
    )
    assert type(error) is InvalidArgument


async def test_a_letter_of_the_recorder_goes_to_the_recorder(scans, record, admin, bus):
    letter = await record.dead(NOW - MINUTE, lane="bulk", region="eu_west_1")
    row = await record.letter(letter)
    answer = await scans.ReplayDeadLetters(replay(letter), metadata=admin)
    assert answer.replayed_count == 1
    (message,) = await stored(bus, SCANS)
    body = events_pb2.ScansAccepted.FromString(message.data)
    assert message.subject == "scan.accepted.v1.bulk"
    assert (body.derivation_version, body.replayed_message_id) == (1, row.message_id)
    (submission,) = body.submissions
    assert (submission.company_id, submission.scanner_id) == (record.company_id, SCANNER_ID)
    assert (submission.region, submission.accept_time.ToDatetime(UTC)) == ("eu_west_1", NOW - MINUTE)
    assert list(submission.scans) == [scan_pb2.Scan.FromString(row.scan)]
    assert message.headers["Nats-Msg-Id"] not in ("", row.message_id)
    assert await stored(bus, RECORDED) == []


async def test_a_letter_of_enrichment_goes_to_enrichment(scans, record, admin, bus):
    letter = await record.dead(NOW, consumer="enrichment_barcode", message_id=EVENT_ID, index=9)
    row = await record.letter(letter)
    assert (await scans.ReplayDeadLetters(replay(letter), metadata=admin)).replayed_count == 1
    (message,) = await stored(bus, RECORDED)
    body = events_pb2.ScansRecorded.FromString(message.data)
    assert message.subject == "scan.recorded.v1.premium.barcode"
    assert (body.derivation_version, body.replayed_event_id) == (1, EVENT_ID)
    assert message.headers["Nats-Msg-Id"] == body.event_id != EVENT_ID
    (scan,) = body.submissions[0].scans
    assert (scan.index, scan.scan) == (9, scan_pb2.Scan.FromString(row.scan))
    assert body.submissions[0].accept_time.ToDatetime(UTC) == NOW
    assert await stored(bus, SCANS) == []


async def test_each_letter_is_replayed_once_and_the_living_not_at_all(scans, record, admin, bus):
    letters = [await record.dead(NOW) for _ in range(40)]
    await record.revive(letters[0])
    answer = await scans.ReplayDeadLetters(replay(*letters, letters[1]), metadata=admin)
    assert answer.replayed_count == 39
    messages = await stored(bus, SCANS)
    assert len({message.headers["Nats-Msg-Id"] for message in messages}) == len(messages) == 39
    assert (await scans.ReplayDeadLetters(replay(letters[0]), metadata=admin)).replayed_count == 0


async def test_a_letter_that_is_none_stops_the_replay(scans, record, admin, stranger, bus):
    letter = await record.dead(NOW)
    for metadata, asked, missing in (
        (admin, (letter, UUID(int=5)), str(UUID(int=5))),
        (admin, (letter, "x"), "x"),
        (stranger, (letter,), str(letter)),
    ):
        error = await failure(scans.ReplayDeadLetters(replay(*asked), metadata=metadata))
        assert (type(error), error.reason) == (NotFound, Reason.NOT_FOUND)
        assert error.metadata == {"dead_letter_id": missing}
    assert await stored(bus, SCANS) == []


async def test_what_cannot_be_replayed_is_told_at_once_and_stops_the_replay(scans, record, admin, bus):
    letter = await record.dead(NOW)
    reused = await record.dead(NOW, reason="SCAN_ID_REUSED")
    ledger = await record.dead(NOW, consumer="billing_ledger", message_id=secrets.token_hex(16))
    error = await failure(scans.ReplayDeadLetters(replay(letter, reused, ledger), metadata=admin))
    assert type(error) is InvalidArgument
    told = [problem.description for problem in error.violations]
    assert [description.split()[0] for description in told] == [str(reused), str(ledger)]
    assert await stored(bus, SCANS) == []


async def test_without_room_a_replay_waits_as_bulk_does(scans, record, admin, backlog, filling):
    letter = await record.dead(NOW, lane="premium")
    filling.share = 0.6
    await backlog.look()
    error = await failure(scans.ReplayDeadLetters(replay(letter), metadata=admin))
    assert (type(error), error.reason) == (Unavailable, Reason.OVERLOADED)
    assert error.retry_delay
    filling.share = 0.4
    await backlog.look()
    assert (await scans.ReplayDeadLetters(replay(letter), metadata=admin)).replayed_count == 1


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_replay_has_1_to_1000_letters(scans, admin, count):
    error = await failure(scans.ReplayDeadLetters(replay(*(uuid7() for _ in range(count))), metadata=admin))
    assert [each.field for each in error.violations] == ["dead_letter_ids"]


class TestWithTheBusDown:
    @pytest.fixture
    async def bus(self):
        async with buses.connected(Secret(f"nats://127.0.0.1:{ports.free()}"), "tests") as connected:
            yield connected

    async def test_a_replay_is_not_durable(self, scans, record, admin):
        letter = await record.dead(NOW)
        error = await failure(scans.ReplayDeadLetters(replay(letter), metadata=admin))
        assert (type(error), error.reason) == (Unavailable, Reason.NOT_DURABLE)
        assert error.retry_delay
