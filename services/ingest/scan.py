"""What a scan must be to be accepted (CONTRACT section 2): all violations at once, and nothing later refuses.

Whatever the bus or the store would refuse is refused here, while the device still holds the scan.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from google.protobuf import timestamp_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.chassis import barcode, wire
from services.chassis.barcode import MAX_TEXT, Found
from services.chassis.barcode import text as _text
from services.chassis.errors import Violation
from services.chassis.subjects import Kind

MAX_AGE = timedelta(days=35)
MAX_AHEAD = timedelta(hours=24)
MAX_BYTES = 256 * 1024
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_KEY = 64
MAX_ATTRIBUTE_VALUE = 1_024
MAX_LEGACY_ATTRIBUTE_VALUE = 16 * 1024

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"
_KINDS = frozenset(Kind)
_OUTPUT_ONLY = ("company_id", "scanner_id", "kind", "lane", "region", "accept_time")


def normalise(scan: scan_pb2.Scan) -> None:
    """Bring a scan into the form in which it is stored: the id in lower case, nothing but what the client may set."""
    # A kind of payload that only a later version knows would otherwise travel beside the one checked here.
    scan.DiscardUnknownFields()
    scan.scan_id = scan.scan_id.lower()
    for field in _OUTPUT_ONLY:
        scan.ClearField(field)  # type: ignore[arg-type]  # mypy wants a literal


def violations(
    scan: scan_pb2.Scan, now: datetime, *, max_attribute_value: int = MAX_ATTRIBUTE_VALUE
) -> tuple[Violation, ...]:
    """Answer everything that is wrong with a normalised scan; nothing means that it may be accepted.

    Args:
        scan: the scan.
        now: the accept time, by which `scan_time` is judged.
        max_attribute_value: characters; legacy posts may have longer ones.
    """
    return tuple(
        Violation(field, description)
        for part in (
            _scan_id(scan.scan_id),
            _scan_time(scan, now),
            _text("location", scan.location, MAX_TEXT),
            _text("operator", scan.operator, MAX_TEXT),
            _attributes(scan.attributes, max_attribute_value),
            _payload(scan),
            _size(scan),
        )
        for field, description in part
    )


def _scan_id(scan_id: str) -> Found:
    if not scan_id:
        yield "scan_id", "is required: a UUID chosen by the device, the same for every resend"
    elif not _UUID.fullmatch(scan_id):
        yield "scan_id", "must be a UUID, as in 01890a5d-ac96-774b-bcce-b302099a8057"
    elif scan_id == _NIL:
        yield "scan_id", "must not be the nil UUID"


def _scan_time(scan: scan_pb2.Scan, now: datetime) -> Found:
    if not scan.HasField("scan_time"):
        return
    if not 0 <= scan.scan_time.nanos < 1_000_000_000:
        yield "scan_time", "is not a valid timestamp"
    elif not in_window(scan.scan_time, now):
        yield "scan_time", "must lie between 35 days ago and 24 hours ahead"


def in_window(time: timestamp_pb2.Timestamp, now: datetime) -> bool:
    """Say whether a valid time may be a scan's time."""
    first, last = wire.timestamp(now - MAX_AGE), wire.timestamp(now + MAX_AHEAD)
    return (first.seconds, first.nanos) <= (time.seconds, time.nanos) <= (last.seconds, last.nanos)


def _attributes(attributes: object, max_value: int) -> Found:
    if len(attributes) > MAX_ATTRIBUTES:  # type: ignore[arg-type]  # a protobuf map
        yield "attributes", f"must be at most {MAX_ATTRIBUTES}"
        return
    for key, value in attributes.items():  # type: ignore[attr-defined]  # a protobuf map
        yield from _text("attributes", key, MAX_ATTRIBUTE_KEY, what="a key")
        yield from _text(f"attributes.{key[:MAX_ATTRIBUTE_KEY]}", value, max_value)


def _payload(scan: scan_pb2.Scan) -> Found:
    if scan.WhichOneof("payload") not in _KINDS:  # nobody would take its subject off the stream
        yield "payload", f"is required: {' or '.join(Kind)}"
        return
    yield from barcode.violations(scan.barcode)


def _size(scan: scan_pb2.Scan) -> Found:
    if scan.ByteSize() > MAX_BYTES:
        yield "scan", f"must not be larger than {MAX_BYTES} bytes"
