"""Keeps calls away from a service that has just failed, so that not each of them waits for it in vain."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

_PAUSE = timedelta(seconds=1)


class Breaker:
    """After a failure nobody asks for a pause; then one call does, and the others go on waiting for how it ends."""

    def __init__(self, pause: timedelta = _PAUSE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = pause.total_seconds()
        self._monotonic = monotonic
        self._paused_until: float | None = None

    def lets_ask(self) -> bool:
        """Tell whether the service is worth asking; the first one told so after a pause is the one that tries."""
        if self._paused_until is None:
            return True
        if self._monotonic() < self._paused_until:
            return False
        self.failed()  # until the one that tries says otherwise
        return True

    def failed(self) -> None:
        """Begin a pause."""
        self._paused_until = self._monotonic() + self._seconds

    def worked(self) -> None:
        """End it."""
        self._paused_until = None
