from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from scanmesh.auth.v1 import auth_pb2, events_pb2

from services.auth import events
from services.auth.changes import Change, Kind
from services.auth.credentials import COMPANY
from services.chassis import subjects
from services.chassis.ids import uuid7

HOLDER, CREDENTIAL = "holder-1", "credential-1"


def change(kind, clock, **fields):
    return Change(uuid7(), kind, 7, 42, clock(), **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "subject", "named"),
    [
        (Kind.COMPANY, {}, subjects.COMPANY_CHANGED, (COMPANY,)),
        (Kind.SCANNER, {"holder_id": HOLDER, "scanner_type": "dock"}, subjects.SCANNER_CHANGED, (HOLDER,)),
        (Kind.USER, {"holder_id": HOLDER}, subjects.USER_CHANGED, (HOLDER,)),
        (
            Kind.API_KEYS,
            {"holder_id": HOLDER, "credential_ids": (CREDENTIAL, "credential-2")},
            subjects.API_KEYS_REVOKED,
            (CREDENTIAL, "credential-2"),
        ),
        (
            Kind.SESSION,
            {"holder_id": HOLDER, "credential_ids": (CREDENTIAL,)},
            subjects.SESSION_REVOKED,
            (CREDENTIAL,),
        ),
    ],
)
def test_a_change_is_read_as_what_it_outdates(clock, kind, fields, subject, named):
    made = change(kind, clock, **fields)
    encoded = events.encode(made)
    assert encoded == events.encode(made)  # the same bytes whenever it is published
    assert encoded[0] == subject
    assert events.decode(*encoded) == events.News(7, named, 42)
    assert made.subjects == named


@pytest.mark.parametrize("active", [True, False])
def test_an_event_tells_the_status_after_the_change(clock, active):
    for kind, message, served, ended in (
        (
            Kind.COMPANY,
            events_pb2.CompanyChanged,
            auth_pb2.COMPANY_STATUS_ACTIVE,
            auth_pb2.COMPANY_STATUS_SUSPENDED,
        ),
        (
            Kind.SCANNER,
            events_pb2.ScannerChanged,
            auth_pb2.SCANNER_STATUS_ACTIVE,
            auth_pb2.SCANNER_STATUS_DISABLED,
        ),
        (Kind.USER, events_pb2.UserChanged, auth_pb2.USER_STATUS_ACTIVE, auth_pb2.USER_STATUS_DISABLED),
    ):
        _, payload = events.encode(change(kind, clock, active=active, scanner_type="vehicle"))
        assert message.FromString(payload).status == (served if active else ended)


def test_a_scanners_event_tells_its_type(clock):
    _, payload = events.encode(change(Kind.SCANNER, clock, scanner_type="vehicle"))
    assert events_pb2.ScannerChanged.FromString(payload).type == auth_pb2.SCANNER_TYPE_VEHICLE


def test_a_beat_is_read_as_it_was_sent(clock):
    assert events.decode_beat(events.encode_beat(clock())) == clock()


def test_an_event_of_others_is_no_news():
    assert events.decode("quota.reached.v1", b"whatever") is None


def test_foreign_bytes_are_told(clock):
    with pytest.raises(DecodeError):
        events.decode(subjects.COMPANY_CHANGED, b"\xff\xff")
