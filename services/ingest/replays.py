"""Replays: dead scans that are handed over once more to whoever gave them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from scanmesh.ingest.v1 import events_pb2, query_pb2, scan_pb2

from services.chassis import ids, wire
from services.chassis.bus import Outgoing
from services.chassis.errors import NotFound, Reason
from services.chassis.fields import Problems, resource_id
from services.chassis.subjects import Kind, Lane, scan_accepted, scan_recorded
from services.ingest.dead_letters import RECORDER
from services.ingest.position import Position

MAX_LETTERS = 1_000
"""Letters in one request."""
_ENRICHMENT = "enrichment_"


@dataclass(frozen=True, slots=True)
class Head:
    """What a letter says of itself, without the scan."""

    dead_letter_id: UUID
    scan_id: UUID | None
    consumer: str
    reason: str
    tries: int
    fail_time: datetime

    @property
    def position(self) -> Position:
        """Where it stands in a list."""
        return Position(self.fail_time, self.dead_letter_id)

    @property
    def replayable(self) -> bool:
        """Whether its scan can be handed over once more; one whose id is another scan's never can."""
        known = self.consumer == RECORDER or self.consumer.startswith(_ENRICHMENT)
        return known and self.scan_id is not None and self.reason != Reason.SCAN_ID_REUSED


@dataclass(frozen=True, slots=True)
class DeadScan:
    """The scan of a letter, with all it came with."""

    company_id: int
    consumer: str
    message_id: str
    """The message of SCANS it died in; for enrichment, the event of RECORDED."""
    index: int
    scanner_id: UUID
    region: str
    lane: Lane
    accept_time: datetime
    content: bytes
    """The serialised `Scan` as it was accepted."""


class LetterNotFound(NotFound):
    """The company has no letter of this id."""

    def __init__(self, dead_letter_id: str) -> None:
        super().__init__("there is no such dead letter", metadata={"dead_letter_id": dead_letter_id[:36]})


def parse(request: query_pb2.ReplayDeadLettersRequest) -> tuple[UUID, ...]:
    """Read which letters are to be replayed, each once, in the order of the request.

    Raises:
        InvalidArgument: there are none, or too many.
        LetterNotFound: one cannot be the id of a letter.
    """
    problems = Problems()
    if not 1 <= len(request.dead_letter_ids) <= MAX_LETTERS:
        problems.add("dead_letter_ids", f"must be 1 to {MAX_LETTERS} ids")
    problems.raise_any()
    return tuple(dict.fromkeys(map(_id, request.dead_letter_ids)))


def _id(text: str) -> UUID:
    read = resource_id(text)
    if read is None:
        raise LetterNotFound(text)
    return read


def check(asked: Sequence[UUID], letters: Mapping[UUID, Head]) -> None:
    """Refuse a replay unless every letter that is asked for is there and can be replayed.

    Raises:
        LetterNotFound: one is not there.
        InvalidArgument: with each one that cannot be replayed.
    """
    missing = [each for each in asked if each not in letters]
    if missing:
        raise LetterNotFound(str(missing[0]))
    problems = Problems()
    for each in asked:
        if not letters[each].replayable:
            problems.add("dead_letter_ids", f"{each} is {letters[each].reason}: it cannot be replayed")
    problems.raise_any()


def message(dead: DeadScan, derivation_version: int) -> Outgoing:
    """Answer the message that brings a dead scan back.

    It names the message that the scan died in and takes over only what is dead of that one: sent twice, or for a scan
    that lives again, it changes nothing. So each is a new message, and nobody need remember that there was one before.

    Args:
        dead: the scan.
        derivation_version: of the rules by which everything that follows is derived.
    """
    write = _accepted if dead.consumer == RECORDER else _recorded
    return write(dead, scan_pb2.Scan.FromString(dead.content), derivation_version)


def _accepted(dead: DeadScan, scan: scan_pb2.Scan, derivation_version: int) -> Outgoing:
    submission = events_pb2.Submission(
        company_id=dead.company_id,
        scanner_id=str(dead.scanner_id),
        region=dead.region,
        accept_time=wire.timestamp(dead.accept_time),
        scans=[scan],
    )
    body = events_pb2.ScansAccepted(
        derivation_version=derivation_version,
        submissions=[submission],
        replayed_message_id=dead.message_id,
    )
    return Outgoing(scan_accepted(dead.lane), body.SerializeToString(), ids.message_id())


def _recorded(dead: DeadScan, scan: scan_pb2.Scan, derivation_version: int) -> Outgoing:
    submission = events_pb2.RecordedSubmission(
        company_id=dead.company_id,
        scanner_id=str(dead.scanner_id),
        region=dead.region,
        accept_time=wire.timestamp(dead.accept_time),
        scans=[events_pb2.RecordedScan(index=dead.index, scan=scan)],
    )
    body = events_pb2.ScansRecorded(
        derivation_version=derivation_version,
        event_id=str(ids.uuid7()),
        submissions=[submission],
        replayed_event_id=dead.message_id,
    )
    subject = scan_recorded(dead.lane, Kind(scan.WhichOneof("payload") or ""))
    return Outgoing(subject, body.SerializeToString(), body.event_id)
