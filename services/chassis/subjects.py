"""Streams, subjects, lanes, kinds, meters and durables: the one place that spells them.

SCANS, RECORDED, USAGE, TALLY and DEADLETTER are work queues that lose nothing: `discard new` refuses what does not
fit, and the refusal reaches whoever publishes. Filters are exact, one durable for every subject: an unfiltered or
overlapping one would either be refused or, widened later, steal another's messages; a subject without a durable
would fill its stream and stop everything. Nobody deletes a consumer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Lane(StrEnum):
    """How urgent a company's scans are; `bulk` is what a request may ask for, the others come from the plan."""

    PREMIUM = "premium"
    STANDARD = "standard"
    BULK = "bulk"


class Kind(StrEnum):
    """What a scan is, by the name of its payload's field; one that is not listed here is refused before acceptance."""

    BARCODE = "barcode"


class Meter(StrEnum):
    """What usage is counted by."""

    SCANS = "scans"


@dataclass(frozen=True, slots=True)
class Durable:
    """A consumer that outlives its process: one subject, taken by one kind of worker."""

    name: str
    subject: str
    max_ack_pending: int
    """Messages handed out and not yet acknowledged: few for bulk, so that it cannot crowd out the others."""
    ack_wait: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the mesh."""

    name: str
    subjects: tuple[str, ...]
    durables: tuple[Durable, ...] = ()
    """Non-empty makes the stream a work queue: a message leaves it when its worker has acknowledged it."""
    max_age: timedelta | None = None
    expiring: bool = False
    """Whether single messages may carry a time to live of their own."""
    latest_only: bool = False
    """Whether it is a key-value bucket: of each subject only the last message is kept."""
    acknowledged: bool = False
    """Whether its followers tell what they are done with: whoever writes to it can wait for all of them."""
    percent: int = 2
    """Its share of the disk that all streams have together."""


def scan_accepted(lane: Lane) -> str:
    """Answer the subject on which accepted scans of a lane travel to the recorder."""
    return f"scan.accepted.v1.{lane}"


def scan_recorded(lane: Lane, kind: Kind) -> str:
    """Answer the subject on which recorded scans travel to enrichment."""
    return f"scan.recorded.v1.{lane}.{kind}"


def usage_recorded(meter: Meter) -> str:
    """Answer the subject on which usage of a meter travels to the ledger."""
    return f"usage.recorded.v1.{meter}"


def scan_enriched(kind: Kind, company_id: int) -> str:
    """Answer the subject on which watchers of a company hear of enriched scans."""
    return f"scan.enriched.v1.{kind}.{company_id}"


def recorder(lane: Lane) -> Durable:
    """Answer the consumer by which the recorder takes accepted scans of a lane."""
    return Durable(f"ingest-recorder-{lane}", scan_accepted(lane), _ACK_PENDING[lane])


def enrichment(lane: Lane, kind: Kind) -> Durable:
    """Answer the consumer by which enrichment takes recorded scans of a lane and kind."""
    return Durable(f"enrichment-{kind}-{lane}", scan_recorded(lane, kind), _ACK_PENDING[lane])


def ledger(meter: Meter) -> Durable:
    """Answer the consumer by which billing takes usage of a meter."""
    return Durable(f"billing-ledger-{meter}", usage_recorded(meter), 256)


SCANS_TALLIED = "scan.tallied.v1"
DEAD_LETTER_WRITTEN = "deadletter.written.v1"
QUOTA_REACHED = "quota.reached.v1"
COMPANY_CHANGED = "company.changed.v1"
SCANNER_CHANGED = "scanner.changed.v1"
API_KEYS_REVOKED = "apikey.revoked.v1"
USER_CHANGED = "user.changed.v1"
SESSION_REVOKED = "session.revoked.v1"
CONTROL_BEAT = "control.beat.v1"

_ACK_PENDING = {Lane.PREMIUM: 256, Lane.STANDARD: 128, Lane.BULK: 16}
TALLIES = Durable("ingest-tally", SCANS_TALLIED, 128)
DEAD_LETTERS = Durable("ingest-deadletters", DEAD_LETTER_WRITTEN, 128)


def _queue(name: str, durables: Iterable[Durable], *, percent: int) -> Stream:
    """Describe a work queue: exactly the subjects that somebody takes."""
    taken = tuple(durables)
    return Stream(name, tuple(durable.subject for durable in taken), taken, percent=percent)


SCANS = _queue("SCANS", map(recorder, Lane), percent=40)
RECORDED = _queue("RECORDED", (enrichment(lane, kind) for lane in Lane for kind in Kind), percent=20)
USAGE = _queue("USAGE", map(ledger, Meter), percent=8)
TALLY = _queue("TALLY", [TALLIES], percent=5)
DEADLETTER = _queue("DEADLETTER", [DEAD_LETTERS], percent=5)
ENRICHED = Stream(
    name="ENRICHED", subjects=("scan.enriched.v1.*.*",), max_age=timedelta(hours=24), percent=16
)
PLANS = Stream(name="KV_plans", subjects=("$KV.plans.>",), latest_only=True, acknowledged=True)
TOTALS = Stream(name="KV_totals", subjects=("$KV.totals.>",), latest_only=True)
CONTROL = Stream(
    name="CONTROL",
    subjects=(
        COMPANY_CHANGED,
        SCANNER_CHANGED,
        API_KEYS_REVOKED,
        USER_CHANGED,
        SESSION_REVOKED,
        QUOTA_REACHED,
        CONTROL_BEAT,
    ),
    max_age=timedelta(hours=3),  # a revocation is remembered for 2 h by whoever starts meanwhile
    expiring=True,
)
STREAMS = (SCANS, RECORDED, USAGE, TALLY, DEADLETTER, ENRICHED, PLANS, TOTALS, CONTROL)
