"""A bus that tells how full its streams are, as a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.chassis.errors import Unavailable
from services.chassis.holdings import StreamState
from services.chassis.subjects import Stream


class Filling:
    """All its streams are full by `share`, 0 to 1, of so many bytes; None: it does not answer."""

    def __init__(self, share: float | None = 0.0, *, max_size: int = 1_000) -> None:
        self.share = share
        self._max_size = max_size
        self.asked: list[Stream] = []

    async def state(self, stream: Stream) -> StreamState:
        """Tell it."""
        self.asked.append(stream)
        if self.share is None:
            raise Unavailable("the bus does not answer")
        size = round(self.share * self._max_size)
        return StreamState(1, 9, 9, size, self._max_size, datetime.now(UTC), timedelta(seconds=1), "epoch")
