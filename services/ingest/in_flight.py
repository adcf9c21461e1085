"""How much ingest publishes at once: what does not fit is refused, and comes again later.

A few hundred large batches at the same time would otherwise fill the memory and keep the event loop so busy that the
bus looks dead, for every company.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from services.chassis.errors import Reason, Unavailable

_RETRY = timedelta(seconds=1)


class Overloaded(Unavailable):
    """More is to be done than there is room for; nothing was begun."""

    reason = Reason.OVERLOADED

    def __init__(self, retry_delay: timedelta = _RETRY) -> None:
        super().__init__("there is too much to do at the moment; send it again", retry_delay=retry_delay)


class InFlight:
    """The bytes that are being published, their callers still there or not."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count `size` bytes until left.

        Raises:
            Overloaded: there is no room for them.
        """
        if self._bytes + size > self._max_bytes:
            raise Overloaded
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
