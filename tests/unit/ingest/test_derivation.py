"""Events follow from a message and the rows it won, and from nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.billing.v1 import usage_pb2
from scanmesh.ingest.v1 import events_pb2

from services.chassis import ids, wire
from services.chassis.bus import MAX_PAYLOAD_BYTES
from services.chassis.errors import Unavailable
from services.chassis.subjects import Lane, scan_accepted
from services.ingest import accepted, publisher
from services.ingest.accepted import Unreadable
from services.ingest.derivation import derive
from services.ingest.publisher import MAX_MESSAGE_BYTES
from tests.fakes.scans import scan

NOW = datetime(2026, 11, 20, 12, 0, 9, 999_999, tzinfo=UTC)
ONE, TWO = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"
MESSAGE_ID = "00112233445566778899aabbccddeeff"


def request(*scans, company_id=1, scanner_id=ONE, region="local", at=NOW):
    return events_pb2.Submission(
        company_id=company_id,
        scanner_id=scanner_id,
        region=region,
        accept_time=wire.timestamp(at),
        scans=scans or [scan()],
    )


def message(*requests, message_id=MESSAGE_ID, lane=Lane.STANDARD, **others):
    body = events_pb2.ScansAccepted(**{"derivation_version": 1, "submissions": requests, **others})
    return accepted.read(message_id, 7, scan_accepted(lane), body.SerializeToString())


def recorded(derived):
    (only,) = [each for each in derived if each.subject.startswith("scan.recorded")]
    return events_pb2.ScansRecorded.FromString(only.payload)


def usage(derived):
    return [
        event
        for each in derived
        if each.subject.startswith("usage.")
        for event in usage_pb2.UsageRecorded.FromString(each.payload).events
    ]


def test_the_recorder_knows_what_the_publisher_stamps():
    assert publisher.DERIVATION_VERSION in accepted.VERSIONS


def test_the_same_rows_make_the_same_bytes():
    requests = [request(scan(attributes={str(n): "v" for n in range(20)})), request(scan(), scanner_id=TWO)]
    assert list(derive(message(*requests), {0, 1})) == list(derive(message(*requests), [1, 0]))


def test_ids_are_those_of_version_1_for_ever():
    """What is in the streams was named by these; a change of the rules is a new version."""
    recorded_event, used = derive(message(request()), {0})
    assert recorded_event.message_id == "27c62ffe-9fc2-8d6f-86fa-53ff1fd217e6"
    assert used.message_id == "f810da58-469f-8fbc-b22c-fe54aa87c146"
    assert usage([used])[0].event_id == "8a7e04cf-554c-8e05-9313-e3f73621c4fe"


def test_only_won_scans_are_in_the_events_with_their_index_over_all_requests():
    first, second, third = scan(), scan(), scan()
    derived = list(derive(message(request(first, second), request(third, scanner_id=TWO)), {1, 2}))
    event = recorded(derived)
    assert [
        (part.scanner_id, [(each.index, each.scan) for each in part.scans]) for part in event.submissions
    ] == [
        (ONE, [(1, second)]),
        (TWO, [(2, third)]),
    ]
    assert event.event_id == derived[0].message_id
    assert sum(each.quantity for each in usage(derived)) == 2


def test_equal_requests_stay_two():
    event = recorded(derive(message(request(), request()), {0, 1}))
    assert len(event.submissions) == 2


def test_nothing_won_derives_nothing():
    assert list(derive(message(request()), set())) == []


@pytest.mark.parametrize(
    "other",
    [
        {"company_id": 2},
        {"region": "eu_west"},
        {"at": NOW + timedelta(microseconds=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_usage_is_grouped_by(other):
    events = usage(derive(message(request(), request(**other)), {0, 1}))
    assert [each.quantity for each in events] == [1, 1]
    assert len({each.event_id for each in events}) == 2


def test_usage_of_two_scanners_is_one_event_that_tells_them_apart():
    (event,) = usage(
        derive(message(request(scan(), scan(), scanner_id=TWO), request(scanner_id=ONE)), {0, 1, 2})
    )
    assert [(each.scanner_id, each.quantity) for each in event.scanners] == [(ONE, 1), (TWO, 2)]
    assert event.quantity == 3
    assert event.cell_time.ToDatetime(UTC) == NOW.replace(second=0, microsecond=0)


@pytest.mark.parametrize("other", [{"message_id": "f" * 32}, {"lane": Lane.BULK}], ids=["message", "lane"])
def test_no_two_messages_share_an_id(other):
    ids_of = [
        {each.message_id for each in derived} | {each.event_id for each in usage(derived)}
        for derived in (list(derive(message(request()), {0})), list(derive(message(request(), **other), {0})))
    ]
    assert ids_of[0].isdisjoint(ids_of[1])


def test_what_derives_from_the_fullest_message_fits_into_one():
    requests, size = [], 0
    while size < MAX_MESSAGE_BYTES - 200:
        made = request(scan(data="1"), company_id=len(requests) + 1, scanner_id=str(ids.uuid7()))
        requests.append(made)
        size += made.ByteSize() + 4
    derived = list(derive(message(*requests), range(len(requests))))
    assert len(derived) == 2
    assert max(len(each.payload) for each in derived) <= MAX_PAYLOAD_BYTES


def test_a_later_version_is_left_to_a_later_recorder():
    with pytest.raises(Unavailable):
        message(request(), derivation_version=2)


@pytest.mark.parametrize(
    "broken",
    [
        {"derivation_version": 0},
        {"submissions": [request(company_id=0)]},
        {"submissions": [request(scanner_id="scanner")]},
        {"submissions": [request(scan(scan_id="scan"))]},
        {"submissions": [request(events_pb2.RecordedScan(scan={"scan_id": ONE}).scan)]},
        {"replayed_message_id": "message"},
        {"replayed_message_id": MESSAGE_ID, "submissions": [request(scan(), scan())]},
        {"message_id": ""},
    ],
    ids=["version", "company", "scanner", "scan", "kind", "replayed", "replay", "message"],
)
def test_what_breaks_the_protos_promise_is_unreadable(broken):
    with pytest.raises(Unreadable):
        message(*broken.pop("submissions", [request()]), **broken)
