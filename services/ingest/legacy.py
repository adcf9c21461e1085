"""`POST /api/scan`: the body that old devices send, read as generously as is safe (CONTRACT section 4).

Numbers are kept as the digits that were sent: a product id is text that happens to look like a number, and twenty
digits do not survive a float.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf import timestamp_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.errors import InvalidArgument, Reason, Violation
from services.chassis.ids import uuid7
from services.ingest.scan import in_window

_EPOCH_DIGITS = 12
"""A string of at least this many digits is epoch milliseconds: no ISO 8601 date is written so long without a T."""


class _Number:
    """A JSON number, as it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def parse(body: bytes, scanner_id: str, now: datetime) -> scan_pb2.Scan:
    """Answer the scan that a legacy body means; its limits are still to be checked.

    Args:
        body: the raw bytes: JSON in UTF-8, with or without a byte order mark.
        scanner_id: the namespace of the id that a body with a `timestamp` gets, the same for every resend.
        now: judges whether `timestamp` can be the scan's time.

    Raises:
        InvalidArgument: not a JSON object, or no usable `productId`.
    """
    try:
        members = _load(body)
        scan = scan_pb2.Scan(
            scan_id=_derived_id(scanner_id, body) if "timestamp" in members else str(uuid7()),
            location=_text(members.pop("location", "")),
            operator=_text(members.pop("operator", "")),
        )
        scan.barcode.data = _product_id(members.pop("productId", None))
        time = _time(members.get("timestamp"))
        if time is not None and in_window(time, now):
            del members["timestamp"]
            scan.scan_time.CopyFrom(time)
        for name, value in members.items():
            scan.attributes[name] = _text(value)
    except (UnicodeError, RecursionError) as error:  # not UTF-8, half a surrogate pair, a bomb of brackets
        raise _malformed("the body is not JSON in UTF-8") from error
    return scan


def _load(body: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(
            body.decode("utf-8-sig"), parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"the body is not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise _malformed("the body must be a JSON object")
    return loaded


def _no_constant(name: str) -> None:
    raise _malformed(f"the body is not JSON: {name}")


def _malformed(message: str) -> InvalidArgument:
    return InvalidArgument(message, reason=Reason.REQUEST_MALFORMED)


def _product_id(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, _Number):
        return value.text
    raise InvalidArgument(
        "productId: is required, a string or a number",
        violations=[Violation("barcode.data", "productId is required, a string or a number")],
    )


def _time(value: Any) -> timestamp_pb2.Timestamp | None:
    """Read ISO 8601 (without a zone: UTC) or epoch milliseconds; None if it is neither."""
    text = value.text if isinstance(value, _Number) else value
    if not isinstance(text, str):
        return None
    milliseconds = isinstance(value, _Number) or (text.isdecimal() and len(text) >= _EPOCH_DIGITS)
    time = timestamp_pb2.Timestamp()
    try:
        if milliseconds:
            time.FromMilliseconds(round(float(text)))
        else:
            read = datetime.fromisoformat(text.strip())
            time.FromDatetime(read if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return time


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """Write JSON again, numbers digit by digit."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _derived_id(scanner_id: str, body: bytes) -> str:
    """Make the UUIDv5 of the raw body (RFC 9562): `uuid.uuid5` takes no bytes before Python 3.12."""
    digest = hashlib.sha1(UUID(scanner_id).bytes + body, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))
