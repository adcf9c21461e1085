"""Results: what was made of a scan, or that nothing could be made of it. A scan has one, for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.chassis.derived import derived_id
from services.chassis.errors import Reason
from services.chassis.subjects import Kind

FAILURE = Reason.INTERNAL
"""Why an enrichment fails: by a fault of ours. What the device sent is never one."""


class State(StrEnum):
    """How it ended."""

    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """One scan's result, and which event won it."""

    company_id: int
    scan_id: UUID
    recorded_id: UUID
    """The ScansRecorded event; everything that is told of a result is derived from it and the result."""
    index: int
    """The scan's place in that event's message."""
    kind: Kind
    scanner_id: UUID
    region: str
    state: State
    tries: int
    """How many times it was tried before it was given up; 0 unless it was."""
    enrich_time: datetime
    accept_time: datetime
    result: bytes | None = field(repr=False)
    """A serialised Enrichment with the kind's part alone; None if it failed."""

    @property
    def key(self) -> tuple[int, UUID, int]:
        """What joins a result with its scan."""
        return self.company_id, self.scan_id, self.index

    @property
    def letter_id(self) -> str:
        """The dead letter that is written if it failed."""
        return self.letter_of(self.recorded_id)

    def letter_of(self, recorded_id: UUID) -> str:
        """Answer the dead letter that was written when it failed for that event."""
        return str(derived_id("LETTER", consumer(self.kind), str(recorded_id), self.index, FAILURE))

    def failed(self, tries: int) -> Result:
        """Answer the same with nothing made of it, after so many tries."""
        return replace(self, state=State.FAILED, tries=tries, result=None)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Results as they were just computed. Whether they count is for the store to say."""

    results: Sequence[Result]
    replayed: Mapping[UUID, UUID]
    """Of events that are replays: the event whose failed result they take over."""


def consumer(kind: Kind) -> str:
    """Answer by which name dead letters say that enrichment gave up."""
    return f"enrichment_{kind}"
