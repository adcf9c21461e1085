"""Works off DEADLETTER: what any consumer gave up is kept where operators see it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from services.chassis.clock import Clock
from services.chassis.pull import Delivery
from services.ingest import dead_letters
from services.ingest.store_dead_letter import DeadLetterStore

_log = logging.getLogger(__name__)


class DeadLetterConsumer:
    """A `work.Handler`."""

    def __init__(self, letters: DeadLetterStore, now: Clock) -> None:
        self._letters = letters
        self._now = now

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Keep letters.

        Raises:
            Unavailable: the database is away.
            Exception: one of them cannot be read or kept.
        """
        await self._letters.add([dead_letters.read(delivery.payload) for delivery in deliveries])

    async def bury(self, delivery: Delivery, tries: int) -> None:
        """Keep the bytes of a letter that is none: an accepted scan may be in them.

        Raises:
            Unavailable: the database is away.
        """
        _log.critical("a dead letter cannot be kept as one", extra={"message_id": delivery.message_id})
        letter = dead_letters.unreadable(
            dead_letters.DEAD_LETTERS, delivery.message_id, delivery.payload, tries, self._now()
        )
        await self._letters.add([dead_letters.row(letter)])
