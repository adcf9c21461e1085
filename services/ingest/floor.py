"""The floor of SCANS: below it every message has been decided, and its scans may be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from services.ingest.accepted import Message


@dataclass(frozen=True, slots=True)
class Floor:
    """How far the deduplication has been purged."""

    first_sequence: int
    """Every message below it was decided when the floor was raised."""
    before_time: datetime
    """Only scans accepted before this are forgotten."""

    def is_above(self, message: Message) -> bool:
        """Tell a message that woke up late: it can no longer be told from one that was never decided.

        The sequence alone does not say it. A bus that was restored from an older copy keeps its epoch and counts anew
        from there; but what it accepts then is young, so its scans are remembered, and deciding it again is harmless.
        """
        return message.sequence < self.first_sequence and all(
            scan.accept_time < self.before_time for scan in message.scans
        )


NONE = Floor(0, datetime.min.replace(tzinfo=UTC))
"""The floor of a stream that nothing was forgotten of."""
