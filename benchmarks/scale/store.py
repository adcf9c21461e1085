"""PostgreSQL of a mesh of the harness's own, as its superuser: filled by COPY, and asked what a load has left in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from benchmarks.mesh import Description

_CONNECTIONS = 6
_METERED = (
    "SELECT coalesce(sum(quantity), 0) FROM billing.totals WHERE company_id = ANY($1) AND meter = 'scans'"
)


class Store:
    """Its methods may run side by side."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def metered(self, companies: Collection[int]) -> int:
        """Answer how many scans of some companies are in the ledger's totals."""
        return int(await self._pool.fetchval(_METERED, list(companies)))

    async def wal_bytes(self) -> int:
        """Answer how many bytes of write-ahead log there have been."""
        return int(await self._pool.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    async def stored_bytes(self) -> int:
        """Answer the size of the database on disk."""
        return int(await self._pool.fetchval("SELECT pg_database_size(current_database())"))

    async def region(self, company_id: int) -> str:
        """Answer the home region of a company."""
        return str(
            await self._pool.fetchval("SELECT region FROM auth.companies WHERE company_id = $1", company_id)
        )

    async def checkpoint(self) -> None:
        """Have everything flushed: what was changed before is not written at the cost of what comes."""
        await self._pool.execute("CHECKPOINT")

    async def tidy(self, tables: Iterable[str]) -> None:
        """Vacuum and analyse tables that were filled at once: autovacuum has no reason left to do so meanwhile."""
        for table in tables:
            await self._pool.execute(f"VACUUM (ANALYZE) {table}")

    async def execute_many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of some rows, in one transaction."""
        await self._pool.executemany(query, rows)

    async def execute(self, query: str, *arguments: object) -> None:
        """Run a statement."""
        await self._pool.execute(query, *arguments)

    async def copy(self, table: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Load rows into a table `schema.name`; the columns are separated by spaces."""
        schema, _, name = table.partition(".")
        async with self._pool.acquire() as connection:
            await connection.copy_records_to_table(
                name, schema_name=schema, columns=columns.split(), records=rows
            )


@asynccontextmanager
async def opened(description: Description) -> AsyncIterator[Store]:
    """Connect to that of a mesh."""
    pool = await asyncpg.create_pool(
        description["postgres"],
        min_size=1,
        max_size=_CONNECTIONS,
        max_inactive_connection_lifetime=0,
    )
    try:
        yield Store(pool)
    finally:
        await asyncio.wait_for(pool.close(), timeout=10)
