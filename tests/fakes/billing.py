"""Usage as the recorder reports it, made up by tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scanmesh.billing.v1 import usage_pb2

from services.billing.events import read_usage
from services.billing.ledger import Entry
from services.chassis import ids
from services.chassis.wire import timestamp

SCANNER_ID = "0190163d-8694-739b-aea5-966c26f8ad91"
CELL = datetime(2026, 11, 25, 12, 0, 10, tzinfo=UTC)


def event(
    company_id: int = 7, quantity: int = 3, cell_time: datetime = CELL, **others: Any
) -> usage_pb2.UsageEvent:
    """A usage event of one scanner, or as said."""
    fields = {
        "event_id": str(ids.uuid7()),
        "company_id": company_id,
        "meter": "scans",
        "quantity": quantity,
        "cell_time": timestamp(cell_time),
        "kind": "barcode",
        "region": "local",
        "lane": "standard",
        "scanners": [usage_pb2.ScannerUsage(scanner_id=SCANNER_ID, quantity=quantity)],
    }
    return usage_pb2.UsageEvent(**{**fields, **others})


def entry(*args: Any, **others: Any) -> Entry:
    """The same as an entry of the ledger."""
    (read,) = read_usage(payload(event(*args, **others)), "scans")
    return read


def payload(*events: usage_pb2.UsageEvent) -> bytes:
    """The bytes of a message of USAGE."""
    return usage_pb2.UsageRecorded(events=events).SerializeToString(deterministic=True)
