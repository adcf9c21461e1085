"""Makes of recorded scans what their kind is for: compute, store, tell, and only then is a message done.

Whatever happens between two of these steps, or in two workers at once, ends the same: the first result that is stored
is the scan's, and all that is told is derived from stored results.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol
from uuid import UUID

from services.chassis.bus import Outgoing
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.pull import Delivery
from services.enrichment import events, recorded
from services.enrichment.kinds import KINDS, Enrich
from services.enrichment.recorded import Recorded, RecordedScan, Source, Unreadable
from services.enrichment.results import Candidates, Result, State
from services.enrichment.store_result import ResultStore

SCANS_AT_ONCE = 2_000
"""Scans of one transaction, unless a single message has more."""
LAST_TRIES = 6
"""A message that was tried as often has killed even the burying of it: nothing of it is computed any more."""

_log = logging.getLogger(__name__)


class Out(Protocol):
    """Where derived events go: the bus."""

    async def hand_over(self, messages: Iterable[Outgoing], /) -> None:
        """Return when all are on disk, or raise Unavailable."""


class Enricher:
    """Handles the messages of one kind and lane (a `Handler` of the chassis)."""

    def __init__(
        self,
        source: Source,
        store: ResultStore,
        out: Out,
        clock: Clock,
        *,
        enrich: Enrich | None = None,
    ) -> None:
        """Describe it.

        Args:
            source: which scans it handles.
            store: where results are kept.
            out: where events go.
            clock: read once for each scan, into its result.
            enrich: what is made of a scan, if not what `KINDS` says.
        """
        self._source = source
        self._store = store
        self._out = out
        self._clock = clock
        self._enrich = enrich or KINDS[source.kind]

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Enrich all scans of all messages.

        Raises:
            Unavailable: the database or the bus is away, or a message is for newer code than this.
            Unreadable: a message is none.
            Exception: a scan cannot be enriched.
        """
        for batch in _portions([_read(delivery) for delivery in deliveries]):
            results = [self._computed(event, scan) for event in batch for scan in event.scans]
            await self._tell(batch, await self._store.keep(_candidates(batch, results)))

    async def bury(self, delivery: Delivery, tries: int) -> None:
        """Enrich every scan of a message that can be, and write dead letters for the others.

        Raises:
            Unavailable: the database or the bus is away.
        """
        try:
            event = _read(delivery)
        except Unreadable:
            await self._out.hand_over([self._unreadable(delivery, tries)])
            return
        results = [await self._single(event, scan, tries) for scan in event.scans]
        await self._tell([event], await self._store.keep_or_fail(_candidates([event], results), tries))

    async def _single(self, event: Recorded, scan: RecordedScan, tries: int) -> Result:
        """Compute one scan alone: whatever it provokes costs this scan, and no other."""
        if tries >= LAST_TRIES:
            return self._result(event, scan, None, tries)
        (computed,) = await asyncio.gather(self._attempt(event, scan), return_exceptions=True)
        if isinstance(computed, Result):
            return computed
        if not isinstance(computed, Exception):
            raise computed  # the process is to end
        _log.error("a scan cannot be enriched", exc_info=computed, extra={"scan_id": str(scan.scan_id)})
        return self._result(event, scan, None, tries)

    async def _attempt(self, event: Recorded, scan: RecordedScan) -> Result:
        return self._computed(event, scan)

    def _computed(self, event: Recorded, scan: RecordedScan) -> Result:
        made = self._enrich(scan.scan).SerializeToString(deterministic=True)
        return self._result(event, scan, made, 0)

    def _result(self, event: Recorded, scan: RecordedScan, made: bytes | None, tries: int) -> Result:
        return Result(
            company_id=scan.company_id,
            scan_id=scan.scan_id,
            recorded_id=event.event_id,
            index=scan.index,
            kind=self._source.kind,
            scanner_id=scan.scanner_id,
            region=scan.region,
            state=State.FAILED if made is None else State.OK,
            tries=tries,
            enrich_time=self._clock(),
            accept_time=scan.accept_time,
            result=made,
        )

    async def _tell(self, batch: Sequence[Recorded], won: Sequence[Result]) -> None:
        """Hand over what is derived from the results that were won, letters last."""
        by_event: dict[UUID, list[Result]] = defaultdict(list)
        for result in won:
            by_event[result.recorded_id].append(result)
        told = [events.derive(event, self._source, by_event[event.event_id]) for event in batch]
        await self._out.hand_over([event for each in told for event in each.events])
        await self._out.hand_over([letter for each in told for letter in each.letters])

    def _unreadable(self, delivery: Delivery, tries: int) -> Outgoing:
        return events.unreadable(
            delivery.payload,
            self._source,
            message_id=delivery.message_id,
            tries=tries,
            now=self._clock(),
        )


def _portions(batch: Sequence[Recorded]) -> Iterator[Sequence[Recorded]]:
    """Part messages, each of them whole, so that none holds rows for long or keeps the bus' pings waiting."""
    portion: list[Recorded] = []
    for event in batch:
        if portion and sum(len(each.scans) for each in [*portion, event]) > SCANS_AT_ONCE:
            yield portion
            portion = []
        portion.append(event)
    yield portion


def _read(delivery: Delivery) -> Recorded:
    event = recorded.read(delivery.payload)
    if event.version > recorded.DERIVATION_VERSION:
        # Derived by older rules it would have other ids than by its own: it waits for a newer replica.
        raise Unavailable(f"the message {delivery.message_id} is of derivation version {event.version}")
    return event


def _candidates(batch: Sequence[Recorded], results: Sequence[Result]) -> Candidates:
    replayed = {event.event_id: event.replayed_id for event in batch if event.replayed_id is not None}
    return Candidates(results, replayed)
