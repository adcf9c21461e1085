"""The rollups, read. Minutes are kept of all scanners together, hours of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.chassis.database import Database
from services.ingest.intervals import MAX_COUNTS, Counts, StatsQuery, TooManyCounts
from services.ingest.tables import rollup_hours, rollup_minutes


class StatsStore:
    """Counts."""

    def __init__(self, replica: Database) -> None:
        self._replica = replica

    async def count(self, company_id: int, query: StatsQuery) -> Sequence[Counts]:
        """Answer what happened in each interval, oldest first, then by kind and region.

        Raises:
            TooManyCounts: there are more than fit into an answer.
        """
        async with self._replica.transaction(company_id=company_id) as connection:
            rows = (await connection.execute(_counted(company_id, query))).all()
        if len(rows) > MAX_COUNTS:
            raise TooManyCounts
        return [Counts(*row) for row in rows]


def _counted(company_id: int, query: StatsQuery) -> sa.Select[*tuple[Any, ...]]:
    table, time = (
        (rollup_minutes, rollup_minutes.c.minute_time)
        if query.scanner_id is None
        else (rollup_hours, rollup_hours.c.hour_time)
    )
    interval = sa.func.date_trunc(query.bucket, time, "UTC").label("interval")
    sums = [sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in ("recorded", "enriched", "failed")]
    counted = sa.select(interval, table.c.kind, table.c.region, *sums).where(
        table.c.company_id == company_id, time >= query.start, time < query.end
    )
    if query.scanner_id is not None:
        counted = counted.where(table.c.scanner_id == query.scanner_id)
    for name, wanted in (("kind", query.kind), ("region", query.region)):
        if wanted:
            counted = counted.where(table.c[name] == wanted)
    keys = (sa.text("interval"), table.c.kind, table.c.region)
    return counted.group_by(*keys).order_by(*keys).limit(MAX_COUNTS + 1)
