"""A bus that tells how full its streams are, as a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.chassis.errors import Unavailable
from services.chassis.holdings import StreamState
from services.chassis.subjects import Stream


class Filling:
    """All its streams are full by `share`, 0 to 1, in all; None: it does not answer."""

    def __init__(self, share: float | None = 0.0) -> None:
        self.share = share
        self.asked: list[Stream] = []

    async def state(self, stream: Stream) -> StreamState:
        """Tell it."""
        self.asked.append(stream)
        if self.share is None:
            raise Unavailable("the bus does not answer")
        size = round(self.share * 1_000)
        return StreamState(1, 9, 9, size, 1_000, datetime.now(UTC), timedelta(seconds=1), "epoch")
