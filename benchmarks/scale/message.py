"""Messages that the mesh might have had: what recorder, enrichment and ledger have written of each, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from scanmesh.ingest.v1 import scan_pb2

from benchmarks.scan import BARCODE
from services.billing import ledger
from services.billing.periods import cell_of
from services.chassis.subjects import Kind, Lane, Meter
from services.enrichment.product.render import enrich
from services.enrichment.results import State
from services.ingest import rollups
from services.ingest.digest import digest

Row = tuple[object, ...]

SIZE = 100
"""Scans of one message."""
COLUMNS: Mapping[str, str] = {
    "ingest.scan_ids": "company_id scan_id message_id index digest accept_time dead",
    "ingest.scan_events": "company_id accept_time scan_id scanner_id kind lane region scan_time content",
    "ingest.tallied": "event_id count_time",
    "enrichment.results": (
        "company_id scan_id recorded_id index kind scanner_id region state tries enrich_time accept_time result"
    ),
    "billing.ledger": (
        "company_id event_id meter quantity cell_time period kind region lane scanners digest record_time"
    ),
}
"""By table, as `rows` answers them."""

_PLACEHOLDER = str(UUID(int=0))
_SCAN = scan_pb2.Scan(scan_id=_PLACEHOLDER, barcode=scan_pb2.Barcode(data=BARCODE))
_CONTENT, _AFTER = _SCAN.SerializeToString(deterministic=True).split(_PLACEHOLDER.encode())
_DIGEST = digest(_SCAN)
_RESULT = enrich(_SCAN).SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Message:
    """One, with scans of one scanner that were accepted at one moment."""

    company_id: int
    scanner_id: UUID
    region: str
    accept_time: datetime
    scan_ids: Sequence[UUID]

    @property
    def counted(self) -> tuple[rollups.Entry, rollups.Count]:
        """What the statistics have counted of it."""
        minute = self.accept_time.replace(second=0, microsecond=0)
        entry = rollups.Entry(self.company_id, self.scanner_id, Kind.BARCODE, self.region, minute)
        return entry, rollups.Count(recorded=len(self.scan_ids), enriched=len(self.scan_ids))

    @property
    def entry(self) -> ledger.Entry:
        """Its line in the ledger."""
        return ledger.Entry(
            company_id=self.company_id,
            event_id=uuid4(),
            meter=Meter.SCANS,
            quantity=len(self.scan_ids),
            cell_time=cell_of(self.accept_time),
            kind=Kind.BARCODE,
            region=self.region,
            lane=Lane.PREMIUM,
            scanners={str(self.scanner_id): len(self.scan_ids)},
        )


def rows(messages: Sequence[Message]) -> Mapping[str, Iterator[Row]]:
    """Answer the rows of messages, by table."""
    ids = [(message, uuid4(), uuid4()) for message in messages]
    return {
        "ingest.scan_ids": _scan_ids(ids),
        "ingest.scan_events": _scan_events(messages),
        "ingest.tallied": ((uuid4(), message.accept_time) for message in messages),
        "enrichment.results": _results(ids),
        "billing.ledger": map(_line, messages),
    }


_Ids = Sequence[tuple[Message, UUID, UUID]]
"""Messages, with their id and that of the event which tells that they are recorded."""


def _scan_ids(messages: _Ids) -> Iterator[Row]:
    for message, message_id, _ in messages:
        company_id, accept_time = message.company_id, message.accept_time
        for index, scan_id in enumerate(message.scan_ids):
            yield company_id, scan_id, message_id, index, _DIGEST, accept_time, False


def _scan_events(messages: Sequence[Message]) -> Iterator[Row]:
    for message in messages:
        company_id, accept_time = message.company_id, message.accept_time
        scanner_id, region = message.scanner_id, message.region
        for scan_id in message.scan_ids:
            content = b"%b%b%b" % (_CONTENT, str(scan_id).encode(), _AFTER)
            named = (Kind.BARCODE, Lane.PREMIUM, region)
            yield company_id, accept_time, scan_id, scanner_id, *named, None, content


def _results(messages: _Ids) -> Iterator[Row]:
    for message, _, recorded_id in messages:
        company_id, at = message.company_id, message.accept_time
        named = (Kind.BARCODE, message.scanner_id, message.region, State.OK, 0)
        for index, scan_id in enumerate(message.scan_ids):
            yield company_id, scan_id, recorded_id, index, *named, at, at, _RESULT


def _line(message: Message) -> Row:
    entry = message.entry
    return (
        entry.company_id,
        entry.event_id,
        entry.meter,
        entry.quantity,
        entry.cell_time,
        entry.period,
        entry.kind,
        entry.region,
        entry.lane,
        json.dumps(entry.scanners),
        entry.digest,
        message.accept_time,
    )
