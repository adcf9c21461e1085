"""Messages of the bus: usage read into entries, and what billing tells written from its nouns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import DecodeError
from scanmesh.billing.v1 import events_pb2, usage_pb2
from scanmesh.ingest.v1 import events_pb2 as ingest_events_pb2

from services.billing import wire
from services.billing.ledger import Entry, UsageUnreadable, problems
from services.billing.plans import Plan
from services.billing.subscriptions import Subscription
from services.billing.thresholds import Threshold
from services.billing.totals import Total
from services.chassis import subjects
from services.chassis.bus import Outgoing
from services.chassis.derived import derived_id
from services.chassis.errors import Reason
from services.chassis.fields import resource_id
from services.chassis.pull import Delivery
from services.chassis.wire import timestamp

_CONSUMER = "billing_ledger"


def read_usage(payload: bytes, meter: str) -> list[Entry]:
    """Read a message of USAGE on the subject of `meter`.

    Raises:
        UsageUnreadable: with everything that is wrong with it.
    """
    try:
        message = usage_pb2.UsageRecorded.FromString(payload)
    except DecodeError as error:
        raise UsageUnreadable("the bytes are no usage") from error
    wrong = [
        f"events[{index}]: {problem}"
        for index, event in enumerate(message.events)
        for problem in _problems(event, meter)
    ]
    if wrong or not message.events:
        raise UsageUnreadable("; ".join(wrong) or "there are no events")
    return [_entry(event) for event in message.events]


def _problems(event: usage_pb2.UsageEvent, meter: str) -> Iterator[str]:
    if event.meter != meter:
        yield "meter must be that of the subject"
    ids = [event.event_id, *(used.scanner_id for used in event.scanners)]
    if None in map(resource_id, ids):
        yield "event_id and scanner_id must be UUIDs"
    elif len(event.scanners) > len({used.scanner_id for used in event.scanners}):
        yield "scanners must be there once each"
    try:
        yield from problems(_entry(event))
    except ValueError:
        yield "event_id or cell_time cannot be read"


def _entry(event: usage_pb2.UsageEvent) -> Entry:
    return Entry(
        company_id=event.company_id,
        event_id=UUID(event.event_id),
        meter=event.meter,
        quantity=event.quantity,
        cell_time=event.cell_time.ToDatetime(tzinfo=UTC),
        kind=event.kind,
        region=event.region,
        lane=event.lane,
        scanners={used.scanner_id: used.quantity for used in event.scanners},
    )


def dead_letter(delivery: Delivery, tries: int, now: datetime) -> Outgoing:
    """Answer the dead letter of a message of USAGE, which holds nothing but its bytes."""
    letter_id = derived_id("LETTER", _CONSUMER, delivery.message_id, delivery.sequence)
    letter = ingest_events_pb2.DeadLetterWritten(
        dead_letter_id=str(letter_id),
        consumer=_CONSUMER,
        reason=Reason.REQUEST_MALFORMED,
        tries=tries,
        fail_time=timestamp(now),
        message_id=delivery.message_id,
        payload=delivery.payload,
    )
    return Outgoing(subjects.DEAD_LETTER_WRITTEN, letter.SerializeToString(deterministic=True), letter_id.hex)


def quota_reached(threshold: Threshold) -> Outgoing:
    """Answer the event of a threshold: the same bytes under the same id, whenever it is told."""
    event = events_pb2.QuotaReached(
        event_id=str(threshold.event_id),
        company_id=threshold.company_id,
        period=threshold.period,
        percent=threshold.percent,
        scan_quota=threshold.scan_quota,
        reach_time=timestamp(threshold.reach_time),
    )
    payload = event.SerializeToString(deterministic=True)
    return Outgoing(subjects.QUOTA_REACHED, payload, threshold.event_id.hex)


def plan_offered(plan: Plan, *, default: bool) -> bytes:
    """Answer the entry of a plan in the bucket `plans`."""
    offered = events_pb2.PlanOffered(plan=wire.plan(plan), is_default=default)
    return offered.SerializeToString(deterministic=True)


def subscription_changed(subscription: Subscription) -> bytes:
    """Answer the entry of a stored subscription in the bucket `plans`."""
    changed = events_pb2.SubscriptionChanged(
        company_id=subscription.company_id,
        plan=subscription.plan,
        state=wire.STATES[subscription.state],
        revision=subscription.revision,
        change_time=timestamp(subscription.change_time) if subscription.change_time else None,
    )
    return changed.SerializeToString(deterministic=True)


def ledger_total(total: Total) -> bytes:
    """Answer the entry of a company in the bucket `totals`."""
    return wire.total(total).SerializeToString(deterministic=True)


def told_watermark(payload: bytes) -> datetime:
    """Answer the watermark of an entry in the bucket `totals`.

    Raises:
        google.protobuf.message.DecodeError: the bytes are no total.
    """
    return usage_pb2.LedgerTotal.FromString(payload).watermark_time.ToDatetime(tzinfo=UTC)
