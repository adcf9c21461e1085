"""The moment by which the call in progress must be answered, on the event loop's clock.

It follows the work: a handler gives its dependencies what is left of it, never a budget of their own.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds: float) -> float:
    """Set the deadline of the call in progress to `seconds` from now and answer it as loop time."""
    at = asyncio.get_running_loop().time() + seconds
    _deadline.set(at)
    return at


def within(seconds: float, *, margin: float = 0.0) -> float:
    """Answer the loop time by which work of at most `seconds` must end.

    Args:
        seconds: the longest the work may take.
        margin: seconds to keep of the call's own deadline, for the answer to travel.
    """
    at = asyncio.get_running_loop().time() + seconds
    deadline = _deadline.get()
    return at if deadline is None else min(at, deadline - margin)


def remaining() -> float | None:
    """Answer the seconds left of the call in progress; None outside of a call."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - asyncio.get_running_loop().time()
