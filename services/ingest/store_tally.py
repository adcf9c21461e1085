"""Adds what enrichment reports to the rollups: each event once, however often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from services.chassis.database import Database
from services.ingest import store_rollup
from services.ingest.rollups import folded
from services.ingest.tally import Tally

_NOTE = sa.text("""
    INSERT INTO ingest.tallied (event_id, count_time)
    SELECT event_id, :now FROM unnest(CAST(:event_ids AS uuid[])) AS event_id ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING RETURNING event_id
""")
_REVIVE = sa.text("""
    UPDATE ingest.dead_letters SET revive_time = :now
    WHERE company_id = :company_id AND dead_letter_id = :dead_letter_id AND revive_time IS NULL
""")


class TallyStore:
    """One transaction: an event's id and its numbers are there together or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, tallies: Sequence[Tally], now: datetime) -> None:
        """Count the events that have not been counted.

        Raises:
            Unavailable: the database is away; nothing is known to be counted.
        """
        by_id = {tally.event_id: tally for tally in tallies}
        async with self._database.transaction() as connection:
            noted = await connection.execute(_NOTE, {"event_ids": list(by_id), "now": now})
            new = [by_id[event_id] for event_id in noted.scalars()]
            await store_rollup.add(connection, folded(count for tally in new for count in tally.counts))
            revived = sorted({letter for tally in new for letter in tally.revived})
            for company_id, letter_id in revived:
                await connection.execute(
                    _REVIVE, {"company_id": company_id, "dead_letter_id": letter_id, "now": now}
                )
