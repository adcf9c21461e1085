"""Dead letters: scans, or whole messages, that a consumer gave up.

A letter's id derives from what died, of whom and why, so the letter that is written again after a crash is the same
one. When and after how many tries it was given up is said by the first copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import DecodeError
from scanmesh.ingest.v1 import events_pb2

from services.chassis import wire
from services.chassis.bus import Outgoing
from services.chassis.derived import derived_id
from services.chassis.errors import Reason
from services.chassis.subjects import DEAD_LETTER_WRITTEN
from services.ingest.accepted import AcceptedScan, Message
from services.ingest.ownership import Decision

RECORDER = "ingest_recorder"
TALLY = "ingest_tally"
DEAD_LETTERS = "ingest_dead_letters"
NOBODY = 0
"""The company of messages that cannot be read."""
_MAX_PAYLOAD_BYTES = 512 * 1024
"""A letter must fit on the bus, as garbage of 1 MiB would not with a letter around it; no publisher of accepted scans
writes larger messages."""


class Unreadable(ValueError):
    """The bytes are not of a message of DEADLETTER."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the letters."""

    company_id: int
    dead_letter_id: UUID
    scan_id: UUID | None
    consumer: str
    reason: str
    tries: int
    fail_time: datetime
    message_id: str
    index: int
    scanner_id: UUID | None
    region: str
    lane: str
    accept_time: datetime | None
    scan: bytes | None
    payload: bytes


def of_message(
    message: Message, decision: Decision, tries: int, fail_time: datetime
) -> Iterator[events_pb2.DeadLetterWritten]:
    """Write the letters of a decided message.

    Args:
        message: the message.
        decision: what has become of its scans.
        tries: how many times the message was handed out.
        fail_time: now.
    """
    for scan in message.scans:
        if scan.index in decision.dead:
            yield _of_scan(message, scan, Reason.INTERNAL, tries, fail_time)
        elif scan.index in decision.reused:
            yield _of_scan(message, scan, Reason.SCAN_ID_REUSED, tries, fail_time)


def _of_scan(
    message: Message, scan: AcceptedScan, reason: Reason, tries: int, fail_time: datetime
) -> events_pb2.DeadLetterWritten:
    message_id = message.message_id.hex
    return events_pb2.DeadLetterWritten(
        dead_letter_id=str(_id(RECORDER, message_id, scan.index, reason)),
        company_id=scan.company_id,
        consumer=RECORDER,
        reason=reason,
        tries=tries,
        fail_time=wire.timestamp(fail_time),
        message_id=message_id,
        index=scan.index,
        scanner_id=str(scan.scanner_id),
        region=scan.region,
        lane=message.lane,
        accept_time=wire.timestamp(scan.accept_time),
        scan=scan.scan,
    )


def unreadable(
    consumer: str, message_id: str, payload: bytes, tries: int, fail_time: datetime
) -> events_pb2.DeadLetterWritten:
    """Write the letter of a message that cannot be read, with its bytes.

    Args:
        consumer: who gave it up.
        message_id: its id on the bus; may be missing, then its bytes stand for it.
        payload: its bytes; the first 512 KiB of them are kept.
        tries: how many times it was handed out.
        fail_time: now.
    """
    message_id = message_id or hashlib.sha256(payload).hexdigest()
    return events_pb2.DeadLetterWritten(
        dead_letter_id=str(_id(consumer, message_id, 0, Reason.INTERNAL)),
        company_id=NOBODY,
        consumer=consumer,
        reason=Reason.INTERNAL,
        tries=tries,
        fail_time=wire.timestamp(fail_time),
        message_id=message_id,
        payload=payload[:_MAX_PAYLOAD_BYTES],
    )


def outgoing(letter: events_pb2.DeadLetterWritten) -> Outgoing:
    """Make a letter a message of DEADLETTER."""
    payload = letter.SerializeToString(deterministic=True)
    return Outgoing(DEAD_LETTER_WRITTEN, payload, letter.dead_letter_id)


def read(payload: bytes) -> Letter:
    """Read a message of DEADLETTER.

    Raises:
        Unreadable: it is none.
    """
    try:
        return row(events_pb2.DeadLetterWritten.FromString(payload))
    except (DecodeError, ValueError, OverflowError) as error:
        raise Unreadable(f"the letter cannot be read: {error!r}") from error


def row(letter: events_pb2.DeadLetterWritten) -> Letter:
    """Answer what the store keeps of a letter.

    Raises:
        ValueError: an id of it is none.
    """
    has_scan = letter.HasField("scan")
    return Letter(
        company_id=letter.company_id,
        dead_letter_id=UUID(letter.dead_letter_id),
        scan_id=UUID(letter.scan.scan_id) if has_scan else None,
        consumer=letter.consumer,
        reason=letter.reason,
        tries=letter.tries,
        fail_time=letter.fail_time.ToDatetime(UTC),
        message_id=letter.message_id,
        index=letter.index,
        scanner_id=UUID(letter.scanner_id) if letter.scanner_id else None,
        region=letter.region,
        lane=letter.lane,
        accept_time=letter.accept_time.ToDatetime(UTC) if letter.HasField("accept_time") else None,
        scan=letter.scan.SerializeToString(deterministic=True) if has_scan else None,
        payload=letter.payload,
    )


def _id(consumer: str, message_id: str, index: int, reason: str) -> UUID:
    return derived_id("LETTER", consumer, message_id, index, reason)
