"""The days of the scan events: each is a partition, made before the first scan of it is recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime

import sqlalchemy as sa

from services.chassis.database import Database

_MAKE = sa.text("SELECT ingest.create_day(:day)")
_DROP = sa.text("SELECT ingest.drop_day(:day)")
_KEPT = sa.text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = 'ingest.scan_events'::regclass ORDER BY relname"
)

_log = logging.getLogger(__name__)


class DayStore:
    """Remembers the days that are there; one that was dropped meanwhile is found missing when it is written to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[date] = set()

    async def make(self, days: Iterable[date]) -> None:
        """Make the days that are not there.

        Raises:
            Unavailable: the database is away.
        """
        for day in sorted(set(days) - self._known):
            async with self._database.transaction() as connection:
                await connection.execute(_MAKE, {"day": day})
            self._known.add(day)

    def forget(self) -> None:
        """Look anew which days are there."""
        self._known.clear()

    async def kept(self) -> list[date]:
        """Answer the days that are there, oldest first."""
        async with self._database.transaction() as connection:
            names = (await connection.execute(_KEPT)).scalars()
            return [day for name in names if (day := _day(name))]

    async def drop(self, day: date) -> None:
        """Drop a day and everything in it.

        Raises:
            Unavailable: the database is away, or somebody reads scans just now.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_DROP, {"day": day})


def _day(partition: str) -> date | None:
    """Read a day off its partition; whatever else an operator has attached is left alone."""
    try:
        return datetime.strptime(partition, "scan_events_%Y%m%d").date()  # noqa: DTZ007 - a day of UTC
    except ValueError:
        _log.warning("a partition is no day's", extra={"partition": partition})
        return None
