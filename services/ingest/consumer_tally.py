"""Works off TALLY: what has become of recorded scans goes into the statistics."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from services.chassis.clock import Clock
from services.chassis.pull import Delivery
from services.ingest import dead_letters, tally
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_tally import TallyStore

_log = logging.getLogger(__name__)


class TallyConsumer:
    """A `work.Handler`."""

    def __init__(self, tallies: TallyStore, letters: DeadLetterStore, now: Clock) -> None:
        self._tallies = tallies
        self._letters = letters
        self._now = now

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Count events, each once.

        Raises:
            Unavailable: the database is away.
            Exception: one of them cannot be read or counted.
        """
        await self._tallies.count([tally.read(delivery.payload) for delivery in deliveries], self._now())

    async def bury(self, delivery: Delivery, tries: int) -> None:
        """Keep an event that cannot be counted: the statistics will lack its numbers.

        Raises:
            Unavailable: the database is away.
        """
        _log.error("a tally is not counted", extra={"message_id": delivery.message_id})
        letter = dead_letters.unreadable(
            dead_letters.TALLY, delivery.message_id, delivery.payload, tries, self._now()
        )
        await self._letters.add([dead_letters.row(letter)])
