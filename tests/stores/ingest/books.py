"""Whether the books of a world agree: accepted, stored, dead, counted, recorded and billed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.billing import events
from services.billing.store_ledger import LedgerStore
from services.billing.tables import ledger
from services.chassis.bus import Outgoing
from services.chassis.database import Database
from services.chassis.subjects import DEADLETTER, USAGE, Meter
from tests.stores.ingest.promise import World
from tests.stores.ingest.queues import NOW
from tests.stores.ingest.record import Record


@dataclass(frozen=True)
class Books:
    """Takes a world's usage into the real ledger, and compares."""

    database: Database
    """Of billing."""
    entries: LedgerStore

    async def wrong(self, world: World) -> list[str]:
        """Answer everything that breaks the promise."""
        found = [f"{key} has two bodies" for key in _ambiguous(world.queues.published.messages)]
        found += [wrong async for wrong in _recorded_wrongly(world)]
        found += [wrong async for wrong in self._billed_wrongly(world)]
        return found

    async def _billed_wrongly(self, world: World) -> AsyncIterator[str]:
        messages = [each for each in world.queues.published.messages if each.subject in USAGE.subjects] * 2
        world.random.shuffle(messages)
        for message in messages:
            appended = await self.entries.append(events.read_usage(message.payload, Meter.SCANS), NOW)
            for key in appended.contradicting:
                yield f"{key} contradicts the ledger"
        for company_id in world.companies:
            billed, stored = await self._billed(company_id), len(await Record(world.db, company_id).stored())
            if billed != stored:
                yield f"{billed} scans are billed of {stored}"

    async def _billed(self, company_id: int) -> int:
        query = sa.select(sa.func.sum(ledger.c.quantity)).where(ledger.c.company_id == company_id)
        async with self.database.transaction() as connection:
            return int((await connection.execute(query)).scalar() or 0)


async def _recorded_wrongly(world: World) -> AsyncIterator[str]:
    stored: Counter[tuple[int, str]] = Counter()
    dead: set[tuple[int, str]] = set()
    for company_id in world.companies:
        record = Record(world.db, company_id)
        stored.update((company_id, scan_id) for scan_id in await record.stored())
        dead |= {(company_id, scan_id) for scan_id in await record.dead()}
        count = sum(each == company_id for each, _ in stored.elements())
        if await record.counted() != (count, count):
            yield f"the rollups have {await record.counted()} of {count}"
    for key in world.accepted - stored.keys() - dead:
        yield f"{key} is lost"
    for key in stored.keys() & dead:
        yield f"{key} is on record and dead"
    for key, count in stored.items():
        if count > 1:
            yield f"{key} is on record {count} times"
    if (recorded := Counter(world.queues.published.recorded_keys())) != stored:
        yield f"{recorded} went to enrichment, {stored} are on record"


def _ambiguous(messages: Sequence[Outgoing]) -> set[str]:
    """Ids under which two bodies were published. (Letters may: the tries and the time are the first copy's.)"""
    bodies: dict[str, bytes] = {}
    return {
        message.message_id
        for message in messages
        if message.subject not in DEADLETTER.subjects
        and bodies.setdefault(message.message_id, message.payload) != message.payload
    }
