"""Adds numbers to the rollups, in the transaction of whoever has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.rollups import Count, Deltas, Hour, Minute

_MINUTES = sa.text("""
    INSERT INTO ingest.rollup_minutes AS there
        (company_id, minute_time, kind, region, recorded, enriched, failed)
    SELECT * FROM unnest(
        CAST(:company_id AS int[]), CAST(:minute_time AS timestamptz[]), CAST(:kind AS text[]),
        CAST(:region AS text[]), CAST(:recorded AS bigint[]), CAST(:enriched AS bigint[]), CAST(:failed AS bigint[]))
    ON CONFLICT (company_id, minute_time, kind, region) DO UPDATE SET
        recorded = there.recorded + excluded.recorded,
        enriched = there.enriched + excluded.enriched,
        failed = there.failed + excluded.failed
""")
_HOURS = sa.text("""
    INSERT INTO ingest.rollup_hours AS there
        (company_id, scanner_id, hour_time, kind, region, recorded, enriched, failed)
    SELECT * FROM unnest(
        CAST(:company_id AS int[]), CAST(:scanner_id AS uuid[]), CAST(:hour_time AS timestamptz[]),
        CAST(:kind AS text[]), CAST(:region AS text[]),
        CAST(:recorded AS bigint[]), CAST(:enriched AS bigint[]), CAST(:failed AS bigint[]))
    ON CONFLICT (company_id, scanner_id, hour_time, kind, region) DO UPDATE SET
        recorded = there.recorded + excluded.recorded,
        enriched = there.enriched + excluded.enriched,
        failed = there.failed + excluded.failed
""")


async def add(connection: AsyncConnection, deltas: Deltas) -> None:
    """Add numbers to their rows, in the order of their keys; the rows are locked until the transaction ends."""
    if deltas.minutes:
        await connection.execute(_MINUTES, _columns(Minute, deltas.minutes))
    if deltas.hours:
        await connection.execute(_HOURS, _columns(Hour, deltas.hours))


def _columns(
    key: type[Minute | Hour], counts: Mapping[Minute, Count] | Mapping[Hour, Count]
) -> dict[str, Sequence[Any]]:
    names = (*key._fields, *Count._fields)
    rows = [(*key_, *count) for key_, count in counts.items()]
    return dict(zip(names, zip(*rows, strict=True), strict=True))
