"""Streams, subjects, lanes and durables: the one place that spells them.

SCANS is a work queue that loses nothing: `discard new` refuses what does not fit, and the refusal reaches the
device as NOT_DURABLE. Filters are exact, one durable for every lane: an unfiltered or overlapping one would either
be refused or, widened later, steal another's messages. Nobody deletes a consumer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Lane(StrEnum):
    """How urgent a company's scans are; `bulk` is what a request may ask for, the others come from the plan."""

    PREMIUM = "premium"
    STANDARD = "standard"
    BULK = "bulk"


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


def scan_accepted(lane: Lane) -> str:
    """Answer the subject on which accepted scans of a lane travel to the recorder."""
    return f"scan.accepted.v1.{lane}"


COMPANY_CHANGED = "company.changed.v1"
SCANNER_CHANGED = "scanner.changed.v1"
API_KEYS_REVOKED = "apikey.revoked.v1"
USER_CHANGED = "user.changed.v1"
SESSION_REVOKED = "session.revoked.v1"
CONTROL_BEAT = "control.beat.v1"

_RECORDER_ACK_PENDING = {Lane.PREMIUM: 256, Lane.STANDARD: 128, Lane.BULK: 16}

SCANS = Stream(
    name="SCANS",
    subjects=tuple(scan_accepted(lane) for lane in Lane),
    durables=tuple(
        Durable(f"ingest-recorder-{lane}", scan_accepted(lane), _RECORDER_ACK_PENDING[lane]) for lane in Lane
    ),
)
CONTROL = Stream(
    name="CONTROL",
    subjects=(
        COMPANY_CHANGED,
        SCANNER_CHANGED,
        API_KEYS_REVOKED,
        USER_CHANGED,
        SESSION_REVOKED,
        CONTROL_BEAT,
    ),
    max_age=timedelta(hours=3),  # a revocation is remembered for 2 h by whoever starts meanwhile
    expiring=True,
)
STREAMS = (SCANS, CONTROL)
