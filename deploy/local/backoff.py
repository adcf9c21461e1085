"""How long to wait before a part that died is started again."""

from __future__ import annotations

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 2.0
HEALTHY_SECONDS = 10.0


class Backoff:
    """The first restart is immediate, then 0.1 s doubling to 2 s; ten healthy seconds start it anew."""

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, healthy_seconds: float) -> float:
        """Answer the seconds to wait after a run that was ready for `healthy_seconds`."""
        if healthy_seconds >= HEALTHY_SECONDS:
            self._next = 0.0
        delay = self._next
        self._next = min(max(2 * delay, FIRST_SECONDS), LONGEST_SECONDS)
        return delay
