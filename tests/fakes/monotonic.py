"""A monotonic clock that tests move on."""

from __future__ import annotations


class Monotonic:
    """Shows `now`, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
