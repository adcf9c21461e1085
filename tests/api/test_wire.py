"""The bytes on the wire are frozen: firmware in the field and messages waiting in a stream were made by older code.

Each golden value was written by hand from the field numbers: tag, length, content. A test that fails here means
that a number or a type was changed, and the change must go, not the test.
"""

from __future__ import annotations

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.ingest.v1 import events_pb2, ingest_pb2, scan_pb2

SCAN = b"".join(
    [
        b"\x0a\x24" + b"0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",  # 1 scan_id
        b"\x12\x06\x08\x80\xe2\xcf\xaa\x06",  # 2 scan_time: 1 seconds = 1 700 000 000
        b"\x1a\x05" + b"aisle",  # 3 location
        b"\x22\x02" + b"mo",  # 4 operator
        b"\x2a\x08" + b"\x0a\x03key" + b"\x12\x01v",  # 5 attributes: an entry with 1 key, 2 value
        b"\x32\x1c",  # 6 barcode
        b"\x0a\x0d" + b"4006381333931",  # 6.1 data
        b"\x12\x03" + b"]E0",  # 6.2 symbology_identifier
        b"\x1a\x06" + b"gtin_x",  # 6.3 format
    ]
)
ADDED = b"".join(
    [
        b"\x50\x07",  # 10 company_id
        b"\x5a\x01s",  # 11 scanner_id
        b"\x62\x07" + b"barcode",  # 12 kind
        b"\x6a\x04" + b"bulk",  # 13 lane
        b"\x72\x05" + b"local",  # 14 region
        b"\x7a\x02\x08\x01",  # 15 accept_time
    ]
)


def scan() -> scan_pb2.Scan:
    return scan_pb2.Scan(
        scan_id="0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
        scan_time=Timestamp(seconds=1_700_000_000),
        location="aisle",
        operator="mo",
        attributes={"key": "v"},
        barcode=scan_pb2.Barcode(data="4006381333931", symbology_identifier="]E0", format="gtin_x"),
    )


def test_a_batch_of_a_device() -> None:
    request = ingest_pb2.SubmitScansRequest(scans=[scan()], bulk=True)

    assert_bytes(request, b"\x0a" + length(SCAN) + SCAN + b"\x10\x01")


def test_a_single_scan_of_a_device() -> None:
    request = ingest_pb2.SubmitScanRequest(scan=scan(), bulk=True)

    assert_bytes(request, b"\x0a" + length(SCAN) + SCAN + b"\x10\x01")


def test_a_scan_as_the_server_answers_it() -> None:
    answer = scan()
    answer.company_id, answer.scanner_id, answer.kind, answer.lane = 7, "s", "barcode", "bulk"
    answer.region = "local"
    answer.accept_time.seconds = 1

    assert_bytes(answer, SCAN + ADDED)


def test_the_answer_to_a_batch() -> None:
    rejection = ingest_pb2.Rejection(
        index=1,
        scan_id="x",
        reason="R",
        violations=[ingest_pb2.Violation(field="f", description="d")],
    )
    rejection.retry_delay.seconds = 2
    golden = b"\x08\x01" + b"\x12\x01x" + b"\x1a\x01R" + b"\x22\x06\x0a\x01f\x12\x01d" + b"\x2a\x02\x08\x02"
    response = ingest_pb2.SubmitScansResponse(accepted_count=9, rejections=[rejection])

    assert_bytes(response, b"\x08\x09" + b"\x12" + length(golden) + golden)


def test_the_answer_to_a_single_scan() -> None:
    response = ingest_pb2.SubmitScanResponse(scan_id="x", accept_time=Timestamp(seconds=1))

    assert_bytes(response, b"\x0a\x01x" + b"\x12\x02\x08\x01")


def test_accepted_scans_on_the_bus() -> None:
    submission = events_pb2.Submission(
        company_id=7, scanner_id="s", region="local", accept_time=Timestamp(seconds=1), scans=[scan()]
    )
    golden = b"".join(
        [
            b"\x08\x07",  # 1 company_id
            b"\x12\x01s",  # 2 scanner_id
            b"\x1a\x05" + b"local",  # 3 region
            b"\x22\x02\x08\x01",  # 4 accept_time
            b"\x2a" + length(SCAN) + SCAN,  # 5 scans
        ]
    )
    event = events_pb2.ScansAccepted(derivation_version=1, submissions=[submission])

    assert_bytes(event, b"\x08\x01" + b"\x12" + length(golden) + golden)


def length(content: bytes) -> bytes:
    """Write a length as a varint of one byte."""
    assert len(content) < 128
    return bytes([len(content)])


def assert_bytes(message: Message, golden: bytes) -> None:
    """Check that a message is written as `golden` and that `golden` is read as the message."""
    assert message.SerializeToString(deterministic=True) == golden
    assert type(message).FromString(golden) == message
