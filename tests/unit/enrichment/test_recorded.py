from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.ids import uuid7
from services.enrichment import recorded as rules
from services.enrichment.recorded import Unreadable
from tests.fakes.identities import COMPANY_ID, SCANNER_ID
from tests.fakes.recorded import ACCEPTED, recorded
from tests.fakes.scans import scan


def read(event):
    return rules.read(event.SerializeToString())


def test_every_scan_stands_with_what_is_said_once():
    first, second = scan(), scan()
    event = recorded(first, second, region="north", first_index=7)
    (one, two) = read(event).scans
    assert (one.company_id, one.scanner_id, one.region) == (COMPANY_ID, UUID(SCANNER_ID), "north")
    assert [(each.index, str(each.scan_id), each.scan) for each in (one, two)] == [
        (7, first.scan_id, first),
        (8, second.scan_id, second),
    ]
    assert one.accept_time == ACCEPTED


@pytest.mark.parametrize(
    "event",
    [
        recorded(event_id="x"),
        recorded(scanner_id=""),
        recorded(scan(scan_id="nobody's")),
        recorded(company_id=0),
        recorded(region="a\0b"),
        recorded(replayed_event_id="x"),
        recorded(scan(), scan(), replayed_event_id=str(uuid7())),
        recorded(derivation_version=-1),
    ],
)
def test_what_the_recorder_cannot_have_written_is_unreadable(event):
    with pytest.raises(Unreadable):
        read(event)


def test_bytes_of_another_kind_are_unreadable():
    with pytest.raises(Unreadable):
        rules.read(b"\xff\xff\xff")


def test_an_accept_time_that_no_calendar_has_is_unreadable():
    event = recorded()
    event.submissions[0].accept_time.CopyFrom(Timestamp(seconds=10**15))
    with pytest.raises(Unreadable):
        read(event)


def test_a_scan_counts_in_the_minute_it_was_scanned_else_accepted():
    minute = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
    scanned = Timestamp()
    scanned.FromDatetime(minute - timedelta(hours=3, seconds=-59))
    (timed, untimed) = read(recorded(scan(scan_time=scanned), scan())).scans
    assert timed.minute == (minute - timedelta(hours=3)).timestamp()
    assert untimed.minute == minute.timestamp()
