"""Keeps calls away from a service that keeps failing, so that not each of them waits for it in vain."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

_PAUSE = timedelta(seconds=1)
_FAILURES = 3
"""In a row: fewer may be what one company's calls bring about, while those of all others are answered."""


class Breaker:
    """After a few failures nobody asks for a pause; then one call does, and the others wait for how it ends."""

    def __init__(self, pause: timedelta = _PAUSE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = pause.total_seconds()
        self._monotonic = monotonic
        self._failures = 0
        self._paused_until: float | None = None

    def lets_ask(self) -> bool:
        """Tell whether the service is worth asking; the first one told so after a pause is the one that tries."""
        if self._paused_until is None:
            return True
        if self._monotonic() < self._paused_until:
            return False
        self._pause()  # until the one that tries says otherwise
        return True

    def failed(self) -> None:
        """Count a failure; the last one of a few begins a pause, and so does each that follows it."""
        self._failures += 1
        if self._failures >= _FAILURES:
            self._pause()

    def worked(self) -> None:
        """Forget the failures, and end the pause."""
        self._failures = 0
        self._paused_until = None

    def _pause(self) -> None:
        self._paused_until = self._monotonic() + self._seconds
