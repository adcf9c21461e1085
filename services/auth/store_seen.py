"""Writes when scanners and keys were last seen: a batch per company, each behind its own wall."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.auth.seen import FLUSH_INTERVAL, Seen, Sightings
from services.auth.tables import api_keys, scanners
from services.chassis.database import Database
from services.chassis.errors import Unavailable

_log = logging.getLogger(__name__)


def _later(table: sa.Table, key: str, time: str) -> sa.Update:
    """Build the statement that moves a row's time forward, never back: another replica may have written it."""
    known = table.c[time]
    return (
        sa.update(table)
        .where(table.c.company_id == sa.bindparam("company"), table.c[key] == sa.bindparam("id"))
        .where(sa.or_(known.is_(None), known < sa.bindparam("at")))
        .values({time: sa.bindparam("at")})
    )


_SCANNERS = _later(scanners, "scanner_id", "last_seen_time")
_KEYS = _later(api_keys, "key_id", "last_used_time")


class SeenStore:
    """One transaction per company."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, company_id: int, sightings: Sightings) -> None:
        """Write the sightings of a company; what was seen later already stays."""
        by_scanner: dict[str, datetime] = {}
        for sighting, at in sightings.items():
            by_scanner[sighting.scanner_id] = max(at, by_scanner.get(sighting.scanner_id, at))
        by_key = {sighting.key_id: at for sighting, at in sightings.items()}
        async with self._database.transaction(company_id=company_id) as connection:
            await connection.execute(_SCANNERS, _rows(company_id, by_scanner))
            await connection.execute(_KEYS, _rows(company_id, by_key))

    async def flush(self, seen: Seen) -> None:
        """Write the sightings since the last flush. What cannot be written is forgotten: newer ones come."""
        try:
            for company_id, sightings in seen.take().items():
                await self.write(company_id, sightings)
        except Unavailable as error:
            # The rest is not even tried: a process that stops would wait once per company for a frozen database.
            _log.warning("sightings are lost", extra={"error": str(error)})

    async def keep_flushing(self, seen: Seen) -> None:
        """Flush from time to time, for ever."""
        while True:
            await asyncio.sleep(FLUSH_INTERVAL.total_seconds())
            await self.flush(seen)


def _rows(company_id: int, times: dict[str, datetime]) -> Sequence[dict[str, Any]]:
    # In the order of their ids, as every replica writes them: no two wait for each other.
    return [{"company": company_id, "id": UUID(id_), "at": at} for id_, at in sorted(times.items())]
