from __future__ import annotations

import uuid
from datetime import UTC, timedelta
from typing import Any

import pytest
from google.api import httpbody_pb2

from services.chassis.bus import Outcome
from services.chassis.errors import InvalidArgument, PermissionDenied, Reason, Unavailable
from services.chassis.identity import Signer
from tests.fakes import identities
from tests.fakes.bus import RecordingBus
from tests.rpc.ingest import published
from tests.rpc.ingest.conftest import ACCEPTED
from tests.servers.rpc import failure, signed

BODY = (
    b'{"productId": 4006381333931, "timestamp": "2026-11-22T11:59:00", "operator": "mia", "battery": 87.50}'
)


def body(data: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="text/plain", data=data)


async def test_a_legacy_scan_is_answered_in_the_old_gateways_words(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    answer = await ingest.SubmitLegacyScan(body(BODY), metadata=scanner)
    scan_id = str(uuid.uuid5(uuid.UUID(identities.SCANNER_ID), BODY.decode()))
    assert (answer.success, answer.scan_id, answer.event_id) == (True, scan_id, scan_id)
    assert answer.timestamp.ToDatetime(UTC) == ACCEPTED
    assert answer.message


async def test_what_a_legacy_body_says_is_published(ingest: Any, bus: RecordingBus, scanner: Any) -> None:
    answer = await ingest.SubmitLegacyScan(body(BODY), metadata=scanner)
    (sent,) = published.scans(bus)
    assert sent.scan_id == answer.scan_id
    assert (sent.barcode.data, sent.operator, dict(sent.attributes)) == (
        "4006381333931",
        "mia",
        {"battery": "87.50"},
    )
    assert sent.scan_time.ToDatetime(UTC) == ACCEPTED.replace(microsecond=0) - timedelta(minutes=1)
    assert [message.subject for message in bus.stored] == ["scan.accepted.v1.premium"]


async def test_a_resend_has_the_same_id_and_another_scanners_body_another(
    ingest: Any, scanner: Any, signer: Signer
) -> None:
    other = signed(signer, identities.scanner(subject="0190163d-8694-739b-aea5-966c26f8ad92"))
    ids = [
        (await ingest.SubmitLegacyScan(body(BODY), metadata=metadata)).scan_id
        for metadata in (scanner, scanner, other)
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"productId": "1"'])
async def test_a_body_that_is_no_json_object_is_malformed(
    ingest: Any, bus: RecordingBus, scanner: Any, data: bytes
) -> None:
    error = await failure(ingest.SubmitLegacyScan(body(data), metadata=scanner))
    assert (type(error), error.reason, error.retry_delay) == (InvalidArgument, Reason.REQUEST_MALFORMED, None)
    assert bus.offered == []


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"{}", ["barcode.data"]),
        (b'{"productId": ""}', ["barcode.data"]),
        (b'{"productId": "1", "location": "%s"}' % (b"x" * 257), ["location"]),
        (b'{"productId": "1", "note": "a\\u0000"}', ["attributes.note"]),
        (b'{"productId": "1", "note": "%s"}' % (b"x" * (16 * 1_024 + 1)), ["attributes.note"]),
    ],
)
async def test_the_limits_of_a_scan_hold_for_what_it_becomes(
    ingest: Any, bus: RecordingBus, scanner: Any, data: bytes, fields: list[str]
) -> None:
    error = await failure(ingest.SubmitLegacyScan(body(data), metadata=scanner))
    assert (type(error), error.reason, error.retry_delay) == (InvalidArgument, Reason.INVALID_ARGUMENT, None)
    assert [violation.field for violation in error.violations] == fields
    assert bus.offered == []


async def test_an_attribute_may_be_longer_than_elsewhere(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    long = b"x" * (16 * 1_024)
    await ingest.SubmitLegacyScan(body(b'{"productId": "1", "note": "%s"}' % long), metadata=scanner)
    assert published.scans(bus)[0].attributes["note"] == long.decode()


async def test_a_timestamp_outside_of_the_window_does_not_cost_the_scan(
    ingest: Any, bus: RecordingBus, scanner: Any
) -> None:
    await ingest.SubmitLegacyScan(body(b'{"productId": "1", "timestamp": "2001-01-01"}'), metadata=scanner)
    (sent,) = published.scans(bus)
    assert not sent.HasField("scan_time")
    assert dict(sent.attributes) == {"timestamp": "2001-01-01"}


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
async def test_a_scan_not_known_to_be_on_disk_is_to_be_sent_again(
    ingest: Any, bus: RecordingBus, scanner: Any, outcome: Outcome
) -> None:
    bus.fate = lambda _: outcome
    error = await failure(ingest.SubmitLegacyScan(body(BODY), metadata=scanner))
    assert (type(error), error.reason) == (Unavailable, Reason.NOT_DURABLE)
    assert error.retry_delay is not None
    assert timedelta(seconds=2) <= error.retry_delay <= timedelta(seconds=4)


async def test_an_operator_submits_nothing(ingest: Any, bus: RecordingBus, signer: Signer) -> None:
    error = await failure(ingest.SubmitLegacyScan(body(BODY), metadata=signed(signer, identities.operator())))
    assert type(error) is PermissionDenied
    assert bus.offered == []
