"""The book of failures: how often a message of a durable has failed, or was begun by a worker that did not live on.

Each service keeps its own, in the table `attempts` of its schema.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.subjects import Durable


class Attempts:
    """Each method is one transaction, committed before it returns."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._add = sa.text(
            f"INSERT INTO {schema}.attempts (durable, message_id, failures, change_time)"  # noqa: S608 - a constant
            " VALUES (:durable, :message_id, 1, now()) ON CONFLICT (durable, message_id)"
            " DO UPDATE SET failures = attempts.failures + 1, change_time = now() RETURNING failures"
        )
        self._take_back = sa.text(
            f"UPDATE {schema}.attempts SET failures = failures - 1"  # noqa: S608 - a constant
            " WHERE durable = :durable AND message_id = :message_id"
        )
        self._forget = sa.text(
            f"DELETE FROM {schema}.attempts WHERE change_time < now() - CAST(:age AS interval)"  # noqa: S608 - a constant
        )

    async def add(self, durable: Durable, message_id: str) -> int:
        """Count one more failure of a message and answer how many there are now.

        Raises:
            Unavailable: the database is away; nothing is counted.
        """
        key = {"durable": durable.name, "message_id": message_id}
        async with self._database.transaction() as connection:
            return int((await connection.execute(self._add, key)).scalar_one())

    async def take_back(self, durable: Durable, message_id: str) -> None:
        """Count one less: it was not the message's fault.

        Raises:
            Unavailable: the database is away.
        """
        key = {"durable": durable.name, "message_id": message_id}
        async with self._database.transaction() as connection:
            await connection.execute(self._take_back, key)

    async def forget(self, age: timedelta) -> None:
        """Forget messages that have not failed for so long.

        Raises:
            Unavailable: the database is away.
        """
        async with self._database.transaction() as connection:
            await connection.execute(self._forget, {"age": age})
