"""Time as a parameter: whoever needs "now" is given a `Clock`, so that tests can set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers the current time, always aware and in UTC."""


def now() -> datetime:
    """Answer the machine's time in UTC."""
    return datetime.now(UTC)
