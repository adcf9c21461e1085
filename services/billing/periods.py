"""Periods: calendar months in UTC, and the cells of 10 s in which usage is accepted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

CELL = timedelta(seconds=10)
_PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_EPOCH = datetime.fromtimestamp(0, UTC)


def period_of(time: datetime) -> str:
    """Answer the month of an aware time, such as `2026-11`."""
    return time.astimezone(UTC).isoformat()[:7]


def is_period(text: str) -> bool:
    """Tell whether a text names a month, as `2026-11` does."""
    return _PERIOD.fullmatch(text) is not None and text > "0000-12"


def start_of(period: str) -> datetime:
    """Answer when a month begins: the first cell in it."""
    return datetime.fromisoformat(f"{period}-01T00:00:00+00:00")


def cell_of(time: datetime) -> datetime:
    """Answer the start of the cell that a time is in."""
    return time - (time - _EPOCH) % CELL
