"""What follows from a message of SCANS: events for enrichment and for the ledger.

A pure function of the message's bytes and of the rows it won, by the rules of the version stamped in it: whoever
derives, and however often, makes the same bytes under the same ids. No event spans two messages, and an id hashes
every key that groups an event's body. A change of anything here is a new version; the old one stays while messages
of it can be in a stream.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from scanmesh.billing.v1 import usage_pb2
from scanmesh.ingest.v1 import events_pb2

from services.chassis import wire
from services.chassis.bus import Outgoing
from services.chassis.derived import derived_id
from services.chassis.subjects import Kind, Meter, scan_recorded, usage_recorded
from services.ingest.accepted import AcceptedScan, Message

_CELL_SECONDS = 10
"""The length of an accept cell, by which the quota reads the ledger."""


class _Group(NamedTuple):
    """What the scans of one usage event have in common, in the order in which events are written."""

    company_id: int
    cell: int
    """Its first second, in Unix time."""
    kind: Kind
    region: str


def derive(message: Message, won: Collection[int]) -> Iterator[Outgoing]:
    """Derive everything that is published of the scans that a message has won.

    Args:
        message: the message.
        won: the indexes of those scans.
    """
    scans = [scan for scan in message.scans if scan.index in won]
    if scans:
        for kind in sorted({scan.kind for scan in scans}):
            yield _recorded(message, kind, [scan for scan in scans if scan.kind == kind])
        yield _used(message, scans)


def _recorded(message: Message, kind: Kind, scans: list[AcceptedScan]) -> Outgoing:
    event_id = str(_id(message, "RECORDED", message.lane, kind))
    event = events_pb2.ScansRecorded(derivation_version=message.version, event_id=event_id)
    request = None
    for scan in scans:
        if scan.request != request:
            request = scan.request
            submission = event.submissions.add(
                company_id=scan.company_id,
                scanner_id=str(scan.scanner_id),
                region=scan.region,
                accept_time=wire.timestamp(scan.accept_time),
            )
        submission.scans.add(index=scan.index, scan=scan.scan)
    return Outgoing(scan_recorded(message.lane, kind), event.SerializeToString(deterministic=True), event_id)


def _used(message: Message, scans: list[AcceptedScan]) -> Outgoing:
    meter = Meter.SCANS
    groups: dict[_Group, Counter[str]] = defaultdict(Counter)
    of_request = {scan.request: scan for scan in scans}  # a request's scans have all but the kind in common
    for (request, kind), quantity in Counter((scan.request, scan.kind) for scan in scans).items():
        scan = of_request[request]
        group = _Group(scan.company_id, _cell(scan.accept_time), kind, scan.region)
        groups[group][str(scan.scanner_id)] += quantity
    events = [_usage_event(message, meter, group, groups[group]) for group in sorted(groups)]
    payload = usage_pb2.UsageRecorded(events=events).SerializeToString(deterministic=True)
    return Outgoing(usage_recorded(meter), payload, str(_id(message, "USAGE", message.lane, meter)))


def _usage_event(
    message: Message, meter: Meter, group: _Group, scanners: Counter[str]
) -> usage_pb2.UsageEvent:
    company_id, cell, kind, region = group
    event = usage_pb2.UsageEvent(
        event_id=str(_id(message, "USAGE", company_id, meter, cell, kind, region, message.lane)),
        company_id=company_id,
        meter=meter,
        quantity=scanners.total(),
        kind=kind,
        region=region,
        lane=message.lane,
        scanners=(
            usage_pb2.ScannerUsage(scanner_id=scanner_id, quantity=quantity)
            for scanner_id, quantity in sorted(scanners.items())
        ),
    )
    event.cell_time.FromSeconds(cell)
    return event


def _id(message: Message, *keys: str | int) -> UUID:
    return derived_id(message.version, message.message_id.hex, *keys)


def _cell(accept_time: datetime) -> int:
    seconds = int(accept_time.timestamp())
    return seconds - seconds % _CELL_SECONDS
