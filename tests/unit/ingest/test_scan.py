from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.ingest.v1 import scan_pb2

from services.chassis import wire
from services.chassis.subjects import Kind
from services.ingest import scan as rules
from tests.fakes.scans import scan, scan_of

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
TICK = timedelta(microseconds=1)
NIL = "00000000-0000-0000-0000-000000000000"
GOOD_ID = "0190163d-8694-739b-aea5-966c26f8ad91"


def fields(submitted: scan_pb2.Scan, **limits: int) -> list[str]:
    """Normalise, and answer the fields with violations."""
    rules.normalise(submitted)
    return [violation.field for violation in rules.violations(submitted, NOW, **limits)]


def test_a_scan_of_everything_allowed_is_accepted() -> None:
    everything = scan(
        scan_time=wire.timestamp(NOW),
        location="Hall „B“",
        operator="Ägir",
        attributes={"order_id": "", "": "a key may be empty"},
        barcode=scan_pb2.Barcode(data="(01)", symbology_identifier="]C1", format="gtin_14"),
    )
    assert fields(everything) == []


def test_all_violations_are_told_at_once() -> None:
    broken = scan_pb2.Scan(
        scan_time=Timestamp(seconds=1),
        location="x" * 257,
        operator="a\0b",
        attributes={"k" * 65: "v" * 1_025},
        barcode=scan_pb2.Barcode(symbology_identifier="s" * 257, format="\0"),
    )
    assert fields(broken) == [
        "scan_id",
        "scan_time",
        "location",
        "operator",
        "attributes",
        f"attributes.{'k' * 64}",
        "barcode.data",
        "barcode.symbology_identifier",
        "barcode.format",
    ]


@pytest.mark.parametrize(
    ("scan_id", "expected"),
    [
        (GOOD_ID, []),
        (GOOD_ID.upper(), []),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", []),
        ("", ["scan_id"]),
        (NIL, ["scan_id"]),
        (GOOD_ID + "\n", ["scan_id"]),
        (f" {GOOD_ID}", ["scan_id"]),
        (f"{{{GOOD_ID}}}", ["scan_id"]),
        (GOOD_ID.replace("-", ""), ["scan_id"]),
        (f"urn:uuid:{GOOD_ID}", ["scan_id"]),
        (GOOD_ID[:-1], ["scan_id"]),
        (GOOD_ID[:-1] + "g", ["scan_id"]),
        (GOOD_ID[:-1] + "１", ["scan_id"]),  # noqa: RUF001 - a digit, but not ours
        (GOOD_ID[:-1] + "\0", ["scan_id"]),
    ],
)
def test_a_scan_id_is_a_uuid_but_not_the_nil_one(scan_id: str, expected: list[str]) -> None:
    submitted = scan()
    submitted.scan_id = scan_id
    assert fields(submitted) == expected


def test_a_scan_id_is_kept_in_lower_case() -> None:
    submitted = scan(scan_id=GOOD_ID.upper())
    rules.normalise(submitted)
    assert submitted.scan_id == GOOD_ID


@pytest.mark.parametrize(
    ("scan_time", "expected"),
    [
        (NOW, []),
        (NOW - timedelta(days=35), []),
        (NOW - timedelta(days=35) - TICK, ["scan_time"]),
        (NOW + timedelta(hours=24), []),
        (NOW + timedelta(hours=24) + TICK, ["scan_time"]),
    ],
)
def test_a_scan_time_lies_in_the_window(scan_time: datetime, expected: list[str]) -> None:
    assert fields(scan(scan_time=wire.timestamp(scan_time))) == expected


def test_the_window_is_exact_to_the_nanosecond() -> None:
    last = wire.timestamp(NOW + timedelta(hours=24))
    assert fields(scan(scan_time=last)) == []
    last.nanos += 1
    assert fields(scan(scan_time=last)) == ["scan_time"]


@pytest.mark.parametrize("nanos", [-1, -(2**31), 10**9, 2**31 - 1])
def test_a_scan_time_that_is_no_timestamp_is_a_violation(nanos: int) -> None:
    assert fields(scan(scan_time=Timestamp(seconds=int(NOW.timestamp()), nanos=nanos))) == ["scan_time"]


@pytest.mark.parametrize("seconds", [0, -1, 2**63 - 1, -(2**63)])
def test_an_absurd_scan_time_is_a_violation(seconds: int) -> None:
    assert fields(scan(scan_time=Timestamp(seconds=seconds))) == ["scan_time"]


def test_a_scan_time_that_was_not_sent_stays_away() -> None:
    submitted = scan()
    assert fields(submitted) == []
    assert not submitted.HasField("scan_time")


@pytest.mark.parametrize("field", ["location", "operator", "barcode.symbology_identifier", "barcode.format"])
@pytest.mark.parametrize("character", ["x", "ß", "😀"])
def test_a_text_has_at_most_256_characters(field: str, character: str) -> None:
    assert fields(with_text(field, 256 * character)) == []
    assert fields(with_text(field, 257 * character)) == [field]


@pytest.mark.parametrize("character", ["x", "😀"])
def test_barcode_data_has_1_to_4296_characters(character: str) -> None:
    assert fields(scan(data=character)) == []
    assert fields(scan(data=4_296 * character)) == []
    assert fields(scan(data=4_297 * character)) == ["barcode.data"]
    assert fields(scan(data="")) == ["barcode.data"]


@pytest.mark.parametrize(
    "field", ["location", "operator", "barcode.data", "barcode.symbology_identifier", "barcode.format"]
)
def test_nul_is_refused_in_every_text(field: str) -> None:
    assert fields(with_text(field, "a\0b")) == [field]


def test_nul_is_refused_in_attributes_keys_and_values() -> None:
    assert fields(scan(attributes={"a\0": "b"})) == ["attributes"]
    assert fields(scan(attributes={"a": "\0"})) == ["attributes.a"]


def test_there_are_at_most_64_attributes() -> None:
    assert fields(scan(attributes={str(index): "" for index in range(64)})) == []
    assert fields(scan(attributes={str(index): "" for index in range(65)})) == ["attributes"]


def test_attributes_have_keys_of_64_and_values_of_1024_characters() -> None:
    assert fields(scan(attributes={64 * "ß": 1_024 * "ß"})) == []
    assert fields(scan(attributes={65 * "k": "v"})) == ["attributes"]
    assert fields(scan(attributes={"k": 1_025 * "v"})) == ["attributes.k"]


def test_attributes_of_legacy_posts_may_be_longer() -> None:
    limit = {"max_attribute_value": rules.MAX_LEGACY_ATTRIBUTE_VALUE}
    assert fields(scan(attributes={"k": 16 * 1_024 * "v"}), **limit) == []
    assert fields(scan(attributes={"k": (16 * 1_024 + 1) * "v"}), **limit) == ["attributes.k"]


def test_every_kind_of_payload_is_one_whose_subject_somebody_takes() -> None:
    payload = scan_pb2.Scan.DESCRIPTOR.oneofs_by_name["payload"]
    assert {field.name for field in payload.fields} == set(Kind)


def test_a_kind_that_nobody_takes_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_KINDS", frozenset())  # no proto has a kind yet that the registry lacks
    assert fields(scan()) == ["payload"]


def test_a_scan_without_a_payload_is_a_violation() -> None:
    submitted = scan()
    submitted.ClearField("barcode")
    assert fields(submitted) == ["payload"]


def test_a_scan_has_at_most_256_kib() -> None:
    limit = {"max_attribute_value": 2**20}
    submitted = scan_of(256 * 1_024)
    assert submitted.ByteSize() == 256 * 1_024
    assert fields(submitted, **limit) == []
    submitted.attributes["k"] += "v"
    assert fields(submitted, **limit) == ["scan"]


def test_texts_within_their_limits_can_be_too_much_together() -> None:
    attributes = {f"{index:02}": 1_024 * "😀" for index in range(64)}
    assert fields(scan(attributes=attributes)) == ["scan"]


def test_what_only_the_server_says_is_cleared() -> None:
    sent = scan(location="here")
    forged = scan_pb2.Scan()
    forged.CopyFrom(sent)
    forged.company_id, forged.scanner_id, forged.kind = 99, "other", "document"
    forged.lane, forged.region = "premium", "moon"
    forged.accept_time.FromDatetime(NOW)
    rules.normalise(forged)
    assert forged == sent


def test_fields_of_a_later_version_do_not_travel_on() -> None:
    """Else a payload of another kind could stand beside the barcode that was checked."""
    sent = scan()
    inventory = b"\x3a\x02\x0a\x00"  # field 7 of the payload, kept for `inventory`
    later = scan_pb2.Scan.FromString(sent.SerializeToString() + inventory)
    assert later.ByteSize() > sent.ByteSize()
    rules.normalise(later)
    assert later.SerializeToString(deterministic=True) == sent.SerializeToString(deterministic=True)


def test_a_payload_of_a_later_version_alone_is_no_payload() -> None:
    later = scan_pb2.Scan.FromString(scan_pb2.Scan(scan_id=GOOD_ID).SerializeToString() + b"\x3a\x02\x0a\x00")
    assert fields(later) == ["payload"]


def with_text(field: str, value: str) -> scan_pb2.Scan:
    submitted = scan()
    holder = submitted.barcode if field.startswith("barcode.") else submitted
    setattr(holder, field.rpartition(".")[2], value)
    return submitted
