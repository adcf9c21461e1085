"""Takes usage off USAGE into the ledger, as the worker of one meter's durable."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence

from services.billing import events
from services.billing.ledger import Entry, UsageUnreadable
from services.billing.store_ledger import LedgerStore
from services.chassis import telemetry
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.pull import Delivery
from services.chassis.subjects import Meter

AT_ONCE = 64

_log = logging.getLogger(__name__)
_entries = telemetry.meter(__name__).create_counter(
    "billing.ledger_entries", description="usage events by what became of them"
)


class UsageHandler:
    """Appends usage to the ledger. Nothing derives from it but thresholds, which stand in the same transaction."""

    def __init__(
        self, bus: Bus, ledger: LedgerStore, meter: Meter, clock: Clock, *, wake: Callable[[], None]
    ) -> None:
        """Describe the work.

        Args:
            bus: where dead letters go.
            ledger: where usage goes.
            meter: what all of it is counted by.
            clock: tells when.
            wake: called when there may be thresholds to tell.
        """
        self._bus = bus
        self._ledger = ledger
        self._meter = meter
        self._clock = clock
        self._wake = wake

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Take in all events of these messages.

        Raises:
            Unavailable: the database is away.
            UsageUnreadable: one of the messages is.
        """
        read = (events.read_usage(delivery.payload, self._meter) for delivery in deliveries)
        await self._append(list(itertools.chain.from_iterable(read)))

    async def bury(self, delivery: Delivery, tries: int) -> None:
        """Put the message into a dead letter, unless it can be read: then its events are taken in, or it comes again.

        A letter of usage names no scan that could be replayed. So what goes into one is never billed, and what
        somebody can be billed for does not, however often it has failed.

        Raises:
            Unavailable: the database or the bus is away.
        """
        try:
            entries = events.read_usage(delivery.payload, self._meter)
        except UsageUnreadable as error:
            _log.error("usage cannot be read", extra={"message_id": delivery.message_id, "error": str(error)})
            return await self._give_up(delivery, tries)
        return await self._append(entries)

    async def _append(self, entries: Sequence[Entry]) -> None:
        appended = await self._ledger.append(entries, self._clock())
        for company_id, event_id in appended.contradicting:
            _log.critical(
                "a usage event came with other content than the ledger holds",
                extra={"company_id": company_id, "event_id": str(event_id)},
            )
        _entries.add(appended.new, {"outcome": "new"})
        _entries.add(len(appended.contradicting), {"outcome": "contradicting"})
        if appended.reached:
            self._wake()

    async def _give_up(self, delivery: Delivery, tries: int) -> None:
        await self._bus.hand_over([events.dead_letter(delivery, tries, self._clock())])
        _entries.add(1, {"outcome": "dead_message"})
