"""Scans by the million that a company has on record, loaded as the services would have written them.

They were accepted at the rate of a billion a day, up to now. Their ids are UUIDv7s of those times; or UUIDv4s, drawn in
ascending order, one from each of as many equal parts of all ids: indexes grow fast at their end, and look afterwards as
if the ids had come in any order.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from asyncpg.pgproto import pgproto

from benchmarks.scale.ground import Ground
from benchmarks.scale.message import COLUMNS, SIZE, Message, rows
from benchmarks.tenants import Device
from services.billing.periods import period_of
from services.chassis.subjects import Meter
from services.ingest import rollups

_APART = timedelta(days=1) / (10**9 / SIZE)
_LOT = 500
"""Messages that are loaded at a time."""
_SCANNERS = 1_000
_TOTAL = """
    INSERT INTO billing.totals AS there (company_id, period, meter, quantity) VALUES ($1, $2, $3, $4)
    ON CONFLICT (company_id, period, meter) DO UPDATE SET quantity = there.quantity + excluded.quantity
"""
_MINUTE = """
    INSERT INTO ingest.rollup_minutes AS there (company_id, minute_time, kind, region, recorded, enriched, failed)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (company_id, minute_time, kind, region)
    DO UPDATE SET recorded = there.recorded + excluded.recorded, enriched = there.enriched + excluded.enriched
"""
_HOUR = """
    INSERT INTO ingest.rollup_hours AS there
        (company_id, scanner_id, hour_time, kind, region, recorded, enriched, failed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (company_id, scanner_id, hour_time, kind, region)
    DO UPDATE SET recorded = there.recorded + excluded.recorded, enriched = there.enriched + excluded.enriched
"""

Mint = Callable[[datetime, int, int], UUID]
"""Makes an id: when the scan was accepted, which one of how many it is."""


def ordered(time: datetime, _number: int, _of: int) -> UUID:
    """Make a UUIDv7."""
    return _uuid(int(time.timestamp() * 1_000), 7)


def scattered(_time: datetime, number: int, of: int) -> UUID:
    """Make a UUIDv4."""
    return _uuid(((number << 48) + random.getrandbits(48)) // of, 4)


def _uuid(high: int, version: int) -> UUID:
    low = random.getrandbits(74)
    whole = high << 80 | version << 76 | low >> 62 << 64 | 0b10 << 62 | low & (1 << 62) - 1
    return pgproto.UUID(whole.to_bytes(16))  # made, shown and sent in a third of the time that others take


class History:
    """What a company has on record, of one device that it has and of others that it had."""

    def __init__(self, ground: Ground, device: Device, mint: Mint, most: int) -> None:
        """Describe it; `most` scans is what it may grow to."""
        self._store = ground.store
        self._company_id = device.company_id
        self._scanners = [UUID(device.scanner_id), *(uuid4() for _ in range(_SCANNERS - 1))]
        self._mint = mint
        self._most = most // SIZE
        self._messages = 0
        self._start = datetime.now(UTC) - self._most * _APART

    @property
    def scans(self) -> int:
        """How many are loaded."""
        return self._messages * SIZE

    async def grow(self, scans: int) -> None:
        """Have so many loaded, whole messages."""
        region = await self._store.region(self._company_id)
        for day in {self._start.date(), datetime.now(UTC).date()}:
            await self._store.execute("SELECT ingest.create_day($1)", day)
        while self._messages < scans // SIZE:
            count = min(_LOT, scans // SIZE - self._messages)
            await self._load([self._message(self._messages + number, region) for number in range(count)])
            self._messages += count
        await self._store.tidy(COLUMNS)

    def _message(self, number: int, region: str) -> Message:
        time = self._start + number * _APART
        places = range(number * SIZE, (number + 1) * SIZE)
        scan_ids = [self._mint(time, place, self._most * SIZE) for place in places]
        return Message(self._company_id, self._scanners[number % _SCANNERS], region, time, scan_ids)

    async def _load(self, messages: list[Message]) -> None:
        every = rows(messages)
        await asyncio.gather(
            *(self._store.copy(table, columns, every[table]) for table, columns in COLUMNS.items())
        )
        await self._add_up(messages)

    async def _add_up(self, messages: list[Message]) -> None:
        """Count messages in the statistics and in the ledger's totals."""
        quantities = Counter[str]()
        for message in messages:
            quantities[period_of(message.accept_time)] += len(message.scan_ids)
        totals = [(self._company_id, period, Meter.SCANS, total) for period, total in quantities.items()]
        deltas = rollups.folded(message.counted for message in messages)
        await self._store.execute_many(_TOTAL, totals)
        await self._store.execute_many(_MINUTE, [(*key, *count) for key, count in deltas.minutes.items()])
        await self._store.execute_many(_HOUR, [(*key, *count) for key, count in deltas.hours.items()])
