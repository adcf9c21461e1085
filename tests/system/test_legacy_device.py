"""Old devices post what they always posted to /api/scan, and are answered as the old gateway answered."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.system.actors import Answer, Device, Http
from tests.system.inspector import stored_scans


def post(device: Device, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return device.http.call("POST", "/api/scan", content=content, headers=headers)


def accepted(description, device: Device, body: Any, **headers: str):
    answer = post(device, body, **headers)
    assert answer.status == 200, answer
    assert answer.body["success"] is True
    assert answer.body["eventId"] == answer.body["scanId"]
    assert isinstance(answer.body["message"], str)
    datetime.fromisoformat(answer.body["timestamp"])
    return stored_scans(description, answer.body["scanId"])


def recently() -> datetime:
    return (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=123_000)


def test_string_id_and_iso_timestamp(description, device: Device) -> None:
    at = recently()
    body = {
        "productId": "ABC-1",
        "timestamp": at.isoformat(),
        "location": "Gate",
        "operator": "Ann",
        "lot": 7,
    }
    [scan] = accepted(description, device, body)
    assert (scan.barcode.data, scan.location, scan.operator) == ("ABC-1", "Gate", "Ann")
    assert scan.scan_time.ToDatetime(UTC) == at
    assert dict(scan.attributes) == {"lot": "7"}


def test_number_id_and_epoch_milliseconds(description, device: Device) -> None:
    at = recently()
    body = f'{{"productId": 12345678901234567890, "timestamp": {round(at.timestamp() * 1000)}}}'.encode()
    [scan] = accepted(description, device, body)
    assert scan.barcode.data == "12345678901234567890"
    assert scan.scan_time.ToDatetime(UTC) == at


def test_odd_members_become_attributes(description, device: Device) -> None:
    body = (
        b'{"productId": 1, "price": 1.10, "tags": ["a", 2], "ok": true, "none": null, "location": {"x": 1.0}}'
    )
    [scan] = accepted(description, device, body)
    assert scan.location == '{"x": 1.0}'
    assert dict(scan.attributes) == {"price": "1.10", "tags": '["a", 2]', "ok": "true", "none": "null"}


@pytest.mark.parametrize("timestamp", ["yesterday", "2019-01-01T00:00:00Z", 5, None])
def test_timestamp_that_cannot_be_used_stays_an_attribute(description, device: Device, timestamp) -> None:
    [scan] = accepted(description, device, {"productId": str(uuid.uuid4()), "timestamp": timestamp})
    assert not scan.HasField("scan_time")
    assert scan.attributes["timestamp"] == (
        timestamp if isinstance(timestamp, str) else json.dumps(timestamp)
    )


def test_same_body_has_the_same_id(device: Device, other_device: Device) -> None:
    body = {"productId": "A", "timestamp": recently().isoformat()}
    first, again, other = post(device, body), post(device, body), post(other_device, body)
    raw = json.dumps(body)
    assert first.body["scanId"] == again.body["scanId"] == str(uuid.uuid5(uuid.UUID(device.scanner_id), raw))
    assert other.body["scanId"] != first.body["scanId"]


def test_without_timestamp_every_post_is_a_scan(device: Device) -> None:
    assert len({post(device, {"productId": "A"}).body["scanId"] for _ in range(2)}) == 2


def test_any_content_type_and_a_byte_order_mark(description, device: Device) -> None:
    body = b"\xef\xbb\xbf" + b'{"productId": "A"}'
    assert accepted(description, device, body, **{"content-type": "text/plain"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "REQUEST_MALFORMED"),
        (b"[]", "REQUEST_MALFORMED"),
        (b'{"productId": "\xe9"}', "REQUEST_MALFORMED"),
        (b'{"productId": "\\ud800"}', "REQUEST_MALFORMED"),
        (b"[" * 100_000, "REQUEST_MALFORMED"),
        (b"{}", "INVALID_ARGUMENT"),
        (b'{"productId": true}', "INVALID_ARGUMENT"),
        (b'{"productId": ""}', "INVALID_ARGUMENT"),
        (json.dumps({"productId": "A", "a": "x" * 16_385}).encode(), "INVALID_ARGUMENT"),
    ],
)
def test_bad_body_is_refused_in_the_old_form(device: Device, body: bytes, reason: str) -> None:
    answer = post(device, body)
    assert (answer.status, answer.body["success"], answer.body["error"]) == (400, False, reason)
    assert answer.body["message"]
    assert "retry-after" not in answer.headers


def test_long_attribute_is_allowed_here(description, device: Device) -> None:
    assert accepted(description, device, {"productId": "A", "a": "x" * 16_384})


def test_the_edges_own_answers_have_the_old_form(description, device: Device) -> None:
    stranger = Http(description["edge"]["http"]).post("/api/scan", {"productId": "A"})
    assert (stranger.status, stranger.body["success"], stranger.body["error"]) == (
        401,
        False,
        "CREDENTIALS_INVALID",
    )
    large = post(device, b"x" * (4 * 1024 * 1024 + 1))
    assert (large.status, large.body["success"], large.body["error"]) == (413, False, "REQUEST_TOO_LARGE")
    wrong = device.http.get("/api/scan")
    assert (wrong.status, wrong.body["success"], wrong.body["error"]) == (404, False, "ROUTE_NOT_FOUND")
