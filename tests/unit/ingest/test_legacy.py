from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.errors import InvalidArgument, Reason
from services.ingest import legacy
from services.ingest import scan as rules

SCANNER_ID = "0190163d-8694-739b-aea5-966c26f8ad91"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON = "2026-11-22T12:00:00"
NOON_MS = 1_795_348_800_000


def parse(body: bytes | str) -> scan_pb2.Scan:
    return legacy.parse(body.encode() if isinstance(body, str) else body, SCANNER_ID, NOW)


def parse_with(**members: str) -> scan_pb2.Scan:
    """Parse an object whose members are given as JSON text, `productId` added."""
    told = {"productId": '"4006381333931"', **members}
    return parse("{" + ", ".join(f'"{name}": {text}' for name, text in told.items()) + "}")


def refusal(body: bytes | str) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        parse(body)
    return caught.value


def test_the_known_members_become_fields_and_all_others_attributes() -> None:
    read = parse(
        b'{"productId": "4006381333931", "location": "Dock 4", "operator": "mia", "timestamp": "'
        + NOON.encode()
        + b'Z", "battery": 87, "ok": true, "note": null, "name": "B\xc3\xa4r", "path": ["a", {"b": 1.50}]}'
    )
    assert read.barcode == scan_pb2.Barcode(data="4006381333931")
    assert (read.location, read.operator) == ("Dock 4", "mia")
    assert read.scan_time.ToDatetime(UTC) == NOW
    assert dict(read.attributes) == {
        "battery": "87",
        "ok": "true",
        "note": "null",
        "name": "Bär",
        "path": '["a", {"b": 1.50}]',
    }


@pytest.mark.parametrize(
    "digits",
    [
        "0",
        "-0",
        "4006381333931",
        "12345678901234567890",
        "123456789012345678901234567890",
        "1.10",
        "1e5",
        "1E+05",
        "-1.0e-7",
        "0.1000000000000000055511151231257827",
        "9" * 5_000,
        "1e400",
    ],
)
def test_a_number_keeps_its_digits(digits: str) -> None:
    read = parse_with(productId=digits, location=digits, size=digits, nested=f'{{"a": [{digits}]}}')
    assert read.barcode.data == digits
    assert read.location == digits
    assert read.attributes["size"] == digits
    assert read.attributes["nested"] == f'{{"a": [{digits}]}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"as it is"', "as it is"),
        ('""', ""),
        ("null", "null"),
        ("false", "false"),
        ('{"a": "b"}', '{"a": "b"}'),
        ("[]", "[]"),
        ('[1, 2.50, "ä", {"ö": null}]', '[1, 2.50, "ä", {"ö": null}]'),
    ],
)
def test_anything_but_a_string_becomes_json_text(value: str, text: str) -> None:
    read = parse_with(location=value, operator=value, extra=value)
    assert (read.location, read.operator, read.attributes["extra"]) == (text, text, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_the_json_text_of_a_member_means_the_same(value: Any) -> None:
    written = parse(json.dumps({"productId": "1", "extra": value})).attributes["extra"]
    assert (value if isinstance(value, str) else json.loads(written)) == value
    if isinstance(value, str):
        assert written == value


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse(b'\xef\xbb\xbf{"productId": "1"}').barcode.data == "1"


def test_of_a_member_that_comes_twice_the_last_counts() -> None:
    read = parse('{"productId": "1", "a": 1, "productId": "2", "a": 2}')
    assert (read.barcode.data, dict(read.attributes)) == ("2", {"a": "2"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"null",
        b'"productId"',
        b"[]",
        b'[{"productId": "1"}]',
        b'{"productId": "1"',
        b'{"productId": "1"} x',
        b"{'productId': '1'}",
        b'{"productId": 1,}',
        b'{"productId": 01}',
        b'{"productId": "a\nb"}',
        b'{"productId": NaN}',
        b'{"productId": "1", "a": Infinity}',
        b'{"productId": "1", "a": [-Infinity]}',
        '{"productId": "Bär"}'.encode("latin-1"),
        '{"productId": "1"}'.encode("utf-16"),
        b'{"productId": "1", "a": "\\ud800"}',
        b'{"productId": "1", "\\udc00": "a"}',
        b'{"productId": "1", "a": ["\\ud800"]}',
        b'{"productId": "\\ud800"}',
        b'{"productId": "1", "location": "\\ud800"}',
        b'{"productId": "1", "operator": "\\ud83d"}',
        b'{"productId": "1", "a": ' + 100_000 * b"[" + 100_000 * b"]" + b"}",
        b'{"productId": "1", "a": ' + 600 * b'{"a":' + b"1" + 600 * b"}" + b"}",
        100_000 * b"[",
    ],
)
def test_what_is_no_json_object_in_utf_8_is_malformed(body: bytes) -> None:
    assert refusal(body).reason is Reason.REQUEST_MALFORMED


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_with(note='"\\ud83d\\ude00"').attributes["note"] == "😀"


@pytest.mark.parametrize(
    "value", ["", '"productId": null', '"productId": true', '"productId": [1]', '"productid": 1']
)
def test_a_product_id_that_is_no_string_and_no_number_is_a_violation(value: str) -> None:
    error = refusal(f"{{{value}}}")
    assert error.reason is Reason.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == ["barcode.data"]


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (f'"{NOON}"', NOW),
        (f'"{NOON}Z"', NOW),
        (f'"{NOON}+00:00"', NOW),
        ('"2026-11-22T13:00:00+01:00"', NOW),
        ('"2026-11-22T06:30:00-05:30"', NOW),
        ('"2026-11-22 12:00:00"', NOW),
        ('"2026-11-22T12:00"', NOW),
        ('"20261122T120000Z"', NOW),
        (f'"  {NOON}Z "', NOW),
        (f'"{NOON}.5Z"', NOW + timedelta(seconds=0.5)),
        (f'"{NOON}.123456Z"', NOW + timedelta(microseconds=123_456)),
        (f'"{NOON}.123456789Z"', NOW + timedelta(microseconds=123_456)),
        ('"2026-11-22"', NOW - timedelta(hours=12)),
        (f"{NOON_MS}", NOW),
        (f"{NOON_MS}.0", NOW),
        (f"{NOON_MS + 7}", NOW + timedelta(milliseconds=7)),
        ("1.7953488e12", NOW),
        (f'"{NOON_MS}"', NOW),
    ],
)
def test_a_timestamp_becomes_the_scan_time(timestamp: str, expected: datetime) -> None:
    read = parse_with(timestamp=timestamp)
    assert read.scan_time.ToDatetime(UTC) == expected
    assert "timestamp" not in read.attributes


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ('"yesterday"', "yesterday"),
        ('""', ""),
        ('"2026-13-01"', "2026-13-01"),
        ('"2026-11-22T25:00:00Z"', "2026-11-22T25:00:00Z"),
        ('"0001-01-01T00:00:00+14:00"', "0001-01-01T00:00:00+14:00"),
        ('"9999-12-31T23:59:59-14:00"', "9999-12-31T23:59:59-14:00"),
        ('"1795348800"', "1795348800"),
        ("null", "null"),
        ("true", "true"),
        ('{"at": 1}', '{"at": 1}'),
        ("1795348800", "1795348800"),
        ("-5", "-5"),
        (f"-{NOON_MS}", f"-{NOON_MS}"),
        ("0", "0"),
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("9" * 400, "9" * 400),
        (f'"{"9" * 400}"', "9" * 400),
        ('"2026-10-01T00:00:00Z"', "2026-10-01T00:00:00Z"),
        ('"2026-11-24T00:00:00Z"', "2026-11-24T00:00:00Z"),
    ],
)
def test_a_timestamp_that_cannot_be_the_scans_stays_an_attribute(timestamp: str, text: str) -> None:
    read = parse_with(timestamp=timestamp)
    assert not read.HasField("scan_time")
    assert dict(read.attributes) == {"timestamp": text}


@pytest.mark.parametrize("form", ["digits", "iso"])
@given(st.integers(-2, 2), st.integers(0, 999_999), st.sampled_from([-35 * 24, 24]))
def test_a_timestamp_at_the_windows_edge_never_sinks_the_scan(
    form: str, milliseconds: int, micros: int, edge_hours: int
) -> None:
    now = NOW.replace(microsecond=micros)
    at = now + timedelta(hours=edge_hours, milliseconds=milliseconds)
    told = f"{at.timestamp() * 1000:.3f}" if form == "digits" else f'"{at.isoformat()}"'
    read = legacy.parse(f'{{"productId": "1", "timestamp": {told}}}'.encode(), SCANNER_ID, now)
    assert rules.violations(read, now) == ()
    assert read.HasField("scan_time") != ("timestamp" in read.attributes)


@given(st.text(st.characters(max_codepoint=127, exclude_characters='"\\', min_codepoint=32)))
def test_the_id_of_a_body_with_a_timestamp_is_its_uuid5(note: str) -> None:
    body = f'{{"productId": "1", "timestamp": "{NOON}", "note": "{note}"}}'
    assert parse(body).scan_id == str(uuid.uuid5(uuid.UUID(SCANNER_ID), body))


def test_the_id_is_of_the_raw_bytes_and_the_scanner() -> None:
    body = f'{{"productId": "1", "timestamp": "{NOON}"}}'.encode()
    ids = [
        legacy.parse(sent, scanner, NOW).scan_id
        for sent, scanner in [
            (body, SCANNER_ID),
            (body + b" ", SCANNER_ID),
            (b"\xef\xbb\xbf" + body, SCANNER_ID),
            (body, "0190163d-8694-739b-aea5-966c26f8ad92"),
        ]
    ]
    assert len(set(ids)) == 4
    assert legacy.parse(body, SCANNER_ID, NOW + timedelta(days=3)).scan_id == ids[0]
    assert legacy.parse(body, SCANNER_ID.upper(), NOW).scan_id == ids[0]
    assert {uuid.UUID(scan_id).version for scan_id in ids} == {5}


def test_a_timestamp_that_cannot_be_read_makes_the_id_all_the_same() -> None:
    body = '{"productId": "1", "timestamp": "yesterday"}'
    assert parse(body).scan_id == parse(body).scan_id == str(uuid.uuid5(uuid.UUID(SCANNER_ID), body))


def test_without_a_timestamp_every_post_is_a_scan_of_its_own() -> None:
    first, second = (uuid.UUID(parse('{"productId": "1"}').scan_id) for _ in range(2))
    assert (first.version, second.version) == (7, 7)
    assert first != second
