"""A place in a list that is ordered by time, newest first, and by id where times are the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.chassis.fields import resource_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_MICROSECONDS = re.compile(r"[0-9]{1,16}")
"""Up to the year 2286, which is far from the last that a datetime can be."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands."""

    time: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{(self.time - _EPOCH) // _TICK}:{self.id}"

    @classmethod
    def read(cls, text: str) -> Position | None:
        """Read what `str` made of a position; None if it is none."""
        microseconds, _, written = text.partition(":")
        row_id = resource_id(written)
        if row_id is None or not _MICROSECONDS.fullmatch(microseconds):
            return None
        return cls(_EPOCH + int(microseconds) * _TICK, row_id)
