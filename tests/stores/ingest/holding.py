"""Replicas that stand still in the middle of a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database
from tests.servers.polling import eventually

_WROTE = sa.text(
    "SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
    " WHERE pid = pg_backend_pid() AND mode = 'RowExclusiveLock' AND relpersistence = 'p'"
)
_WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
_IN_COPY = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %' AND wait_event = 'ClientRead'"
)


class HoldingDatabase(Database):
    """Waits before it commits a transaction that wrote something which others see."""

    def __init__(self, db: Database) -> None:
        super().__init__(db._engine)
        self.held, self.release = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def transaction(self, *, company_id: int | None = None) -> AsyncIterator[AsyncConnection]:
        async with super().transaction(company_id=company_id) as connection:
            yield connection
            if (await connection.execute(_WROTE)).scalar():
                self.held.set()
                await self.release.wait()


class Stopped:
    """A recorder whose COPY stands still before its last byte, until it is released."""

    def __init__(self, work: Awaitable[None]) -> None:
        self._release = asyncio.Event()
        self._work = work

    @asynccontextmanager
    async def inside_copy(self, superuser: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        """Let it stand still while one is in here, and then end its work."""
        copy = asyncpg.Connection.copy_records_to_table

        async def stopping(connection: Any, table: str, *, records: Iterable[Any], **options: Any) -> str:
            return await copy(connection, table, records=self._slowly(records), **options)

        with monkeypatch.context() as planted:
            planted.setattr(asyncpg.Connection, "copy_records_to_table", stopping)
            work = asyncio.ensure_future(self._work)
            await eventually(lambda: _is_inside_copy(superuser), "the recorder to be inside COPY")
        try:
            yield
            assert not work.done()
        finally:
            self._release.set()
            await work

    async def _slowly(self, records: Iterable[Any]) -> AsyncIterator[Any]:
        for record in records:
            yield record
        await self._release.wait()


async def waits_for_a_lock(superuser: Database) -> bool:
    """Tell whether anybody does."""
    async with superuser.transaction() as connection:
        return bool((await connection.execute(_WAITING)).scalar())


async def _is_inside_copy(superuser: Database) -> bool:
    """Tell whether the server waits for what a client copies."""
    async with superuser.transaction() as connection:
        return bool((await connection.execute(_IN_COPY)).scalar())
