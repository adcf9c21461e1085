"""How much ingest publishes, or holds to be published, at once: what does not fit is refused, bulk first, and comes again later.

A few hundred large batches at the same time would otherwise fill the memory and keep the event loop so busy that the
bus looks dead, for every company.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.chassis.subjects import Lane
from services.ingest.shedding import Overloaded, allows


class InFlight:
    """The bytes that are being published, their callers still there or not."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    @contextmanager
    def hold(self, lane: Lane, size: int) -> Iterator[None]:
        """Count `size` bytes of a lane until left.

        Raises:
            Overloaded: there is no room for them.
        """
        if self._bytes + size > self._max_bytes or not allows(lane, self._bytes / self._max_bytes):
            raise Overloaded
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
