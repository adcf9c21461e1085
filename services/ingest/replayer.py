"""Handing dead scans over once more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from services.chassis import deadline
from services.chassis.bus import Bus, Outcome, Outgoing
from services.chassis.errors import Reason, Unavailable
from services.chassis.subjects import Lane
from services.ingest import replays
from services.ingest.backlog import Backlog
from services.ingest.publisher import DERIVATION_VERSION
from services.ingest.store_letter import LetterStore

_SECONDS = 10.0
_ANSWER_MARGIN_SECONDS = 0.3
"""Kept of the caller's deadline, so that it learns what became of its call."""
_AT_ONCE = 32
"""Scans in memory at a time: 8 MiB if all are as large as a scan may be."""


class ReplayNotDurable(Unavailable):
    """Not every scan is known to be on its way; asking again hands over the others, and those twice at worst."""

    reason = Reason.NOT_DURABLE

    def __init__(self) -> None:
        super().__init__("not every scan is known to be on its way again; ask again")


class Replayer:
    """Puts dead scans back on the bus, for whoever gave them up. They need room like new ones, and wait like bulk."""

    def __init__(self, letters: LetterStore, bus: Bus, backlog: Backlog) -> None:
        self._letters = letters
        self._bus = bus
        self._backlog = backlog

    async def replay(self, company_id: int, asked: tuple[UUID, ...]) -> int:
        """Hand over the scans of the letters that are dead still, and answer how many these were.

        Raises:
            LetterNotFound: the company lacks one of the letters; nothing was handed over.
            InvalidArgument: one of them cannot be replayed; nothing was handed over.
            Overloaded: there is too little room; nothing was handed over.
            ReplayNotDurable: the bus did not take all of them in time.
        """
        overload = self._backlog.overload(Lane.BULK)
        if overload is not None:
            raise overload
        by = deadline.within(_SECONDS, margin=_ANSWER_MARGIN_SECONDS)
        replays.check(asked, await self._letters.get(company_id, asked))
        count = 0
        for first in range(0, len(asked), _AT_ONCE):
            scans = await self._letters.dead(company_id, asked[first : first + _AT_ONCE])
            await self._publish([replays.message(scan, DERIVATION_VERSION) for scan in scans], by)
            count += len(scans)
        return count

    async def _publish(self, messages: Sequence[Outgoing], by: float) -> None:
        outcomes = await asyncio.gather(
            *(
                self._bus.publish(each.subject, each.payload, message_id=each.message_id, deadline=by)
                for each in messages
            )
        )
        if any(outcome is not Outcome.ACKED for outcome in outcomes):
            raise ReplayNotDurable
