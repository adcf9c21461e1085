"""Recorded scans that tests make up, as the recorder tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import wire
from services.chassis.ids import uuid7
from services.chassis.pull import Delivery
from services.chassis.subjects import Kind, Lane, scan_recorded
from tests.fakes.identities import COMPANY_ID, SCANNER_ID
from tests.fakes.scans import scan

ACCEPTED = datetime(2026, 11, 25, 10, 30, 15, 250_000, UTC)


def recorded(*scans: scan_pb2.Scan, **others: Any) -> events_pb2.ScansRecorded:
    """One event of one request's scans, or as said; the submission's fields may be said as well."""
    submission = events_pb2.RecordedSubmission(
        company_id=others.pop("company_id", COMPANY_ID),
        scanner_id=others.pop("scanner_id", SCANNER_ID),
        region=others.pop("region", "local"),
        accept_time=wire.timestamp(others.pop("accept_time", ACCEPTED)),
        scans=placed(scans or [scan()], others.pop("first_index", 0)),
    )
    event = events_pb2.ScansRecorded(derivation_version=1, event_id=str(uuid7()), submissions=[submission])
    event.MergeFrom(events_pb2.ScansRecorded(**others))
    return event


def placed(scans: Sequence[scan_pb2.Scan], first: int = 0) -> list[events_pb2.RecordedScan]:
    """Scans with their places in a message."""
    return [events_pb2.RecordedScan(index=index, scan=each) for index, each in enumerate(scans, first)]


def delivered(event: events_pb2.ScansRecorded | bytes, *, tries: int = 1, message_id: str = "") -> Delivery:
    """Hand it out."""
    if isinstance(event, events_pb2.ScansRecorded):
        event, message_id = event.SerializeToString(), message_id or event.event_id
    return Delivery(
        subject=scan_recorded(Lane.STANDARD, Kind.BARCODE),
        payload=event,
        message_id=message_id,
        sequence=1,
        tries=tries,
        stored=ACCEPTED,
    )


def scan_ids(event: events_pb2.ScansRecorded) -> list[UUID]:
    """Name its scans."""
    return [UUID(each.scan.scan_id) for submission in event.submissions for each in submission.scans]
