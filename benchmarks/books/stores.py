"""What the stores say, all of it at one moment: one snapshot of PostgreSQL, as its superuser, whom no wall stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources

import asyncpg

from benchmarks.books.claims import Key
from benchmarks.books.difference import Difference
from benchmarks.books.settling import NotSettled
from benchmarks.mesh import Description
from benchmarks.tenants import horizon

_PRELUDE = "prelude.sql"
_OURS = "($1::int[] IS NULL OR company_id = ANY($1))"
_CALL_SECONDS = 10.0
_QUERY_SECONDS = 300.0
_NO_ANSWER = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InsufficientPrivilegeError,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold between the stores."""

    problem: str
    """What is wrong with whatever the query answers."""
    query: str
    """Answers company, subject and detail."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What is counted of one company: by accept times since the horizon, the statistics by scan times."""

    stored: int
    recorded: int
    """By the statistics, as enriched and failed are."""
    enriched: int
    failed: int
    results: int
    """Results of enrichment that did not fail."""
    letters: int
    metered: int
    """Scans of the current month, by the ledger's total."""


class Snapshot:
    """Queries that see the same moment."""

    def __init__(self, connection: asyncpg.Connection, companies: Collection[int] | None) -> None:
        self._connection = connection
        self._companies = None if companies is None else sorted(companies)

    async def differences(self, cut: datetime) -> list[Difference]:
        """Answer everything that does not hold; before the cut all that was accepted has arrived."""
        return [
            Difference(company_id, subject, check.problem, detail or "")
            for check in checks()
            for company_id, subject, detail in await self._connection.fetch(check.query, self._companies, cut)
        ]

    async def companies(self) -> list[int]:
        """Answer the companies that have anything in the books, in order."""
        rows = await self._connection.fetch(
            f"""SELECT company_id FROM ingest.rollup_minutes WHERE {_OURS}
            UNION SELECT company_id FROM billing.totals WHERE {_OURS} ORDER BY company_id""",  # noqa: S608 - a constant
            self._companies,
        )
        return [row["company_id"] for row in rows]

    async def sums(self, company_id: int) -> Sums:
        """Add up what there is of a company."""
        [row] = await self._connection.fetch(
            """SELECT
                (SELECT count(*) FROM ingest.scan_events WHERE company_id = $1 AND accept_time >= $2) AS stored,
                recorded, enriched, failed,
                (SELECT count(*) FROM enrichment.results
                    WHERE company_id = $1 AND accept_time >= $2 AND state = 'ok') AS results,
                (SELECT count(*) FROM ingest.dead_letters WHERE company_id = $1 AND revive_time IS NULL) AS letters
            FROM (
                SELECT coalesce(sum(recorded), 0) AS recorded, coalesce(sum(enriched), 0) AS enriched,
                    coalesce(sum(failed), 0) AS failed
                FROM ingest.rollup_minutes WHERE company_id = $1 AND minute_time >= $2
            ) AS counted""",
            company_id,
            horizon(),
        )
        counted = {name: int(number) for name, number in row.items()}
        return Sums(**counted, metered=await self.metered(company_id))

    async def metered(self, company_id: int) -> int:
        """Answer how many scans of the current month the ledger's total says."""
        quantity = await self._connection.fetchval(
            "SELECT quantity FROM billing.totals WHERE company_id = $1 AND period = $2 AND meter = 'scans'",
            company_id,
            f"{datetime.now(UTC):%Y-%m}",
        )
        return int(quantity or 0)

    async def stored(self) -> frozenset[Key]:
        """Answer the scans on record."""
        query = f"SELECT company_id, scan_id FROM ingest.scan_events WHERE {_OURS}"  # noqa: S608 - as above
        return frozenset(await self._keys(query))

    async def dead(self) -> Mapping[Key, int]:
        """Answer the scans of which the recorder has written dead letters, with their number."""
        query = (
            "SELECT company_id, scan_id FROM ingest.dead_letters"  # noqa: S608 - as above
            f" WHERE scan_id IS NOT NULL AND consumer = 'ingest_recorder' AND {_OURS}"
        )
        return Counter(await self._keys(query))

    async def _keys(self, query: str) -> list[Key]:
        rows = await self._connection.fetch(query, self._companies)
        return [(row["company_id"], str(row["scan_id"])) for row in rows]


@asynccontextmanager
async def snapshot(description: Description, companies: Collection[int] | None) -> AsyncIterator[Snapshot]:
    """Look at the stores at one moment; None = all companies.

    Raises:
        NotSettled: PostgreSQL does not answer.
    """
    try:
        connection = await asyncpg.connect(
            description["postgres"],
            timeout=_CALL_SECONDS,
            command_timeout=_QUERY_SECONDS,
            server_settings={"row_security": "off"},  # refuses a role that would be shown less than there is
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.fetchval("SELECT 1")  # the snapshot is taken by the first statement
                yield Snapshot(connection, companies)
        finally:
            await connection.close(timeout=_CALL_SECONDS)
    except _NO_ANSWER as error:
        raise NotSettled(f"PostgreSQL does not answer: {error!r}") from error


@cache
def checks() -> tuple[Check, ...]:
    """Read the checks: each a file, with what is wrong in its first line and the prelude put before it."""
    folder = resources.files(__package__) / "checks"
    prelude = (folder / _PRELUDE).read_text()
    files: Iterable[str] = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple(_check(prelude, (folder / name).read_text()) for name in files if name != _PRELUDE)


def _check(prelude: str, text: str) -> Check:
    first, _, query = text.partition("\n")
    return Check(first.removeprefix("-- "), prelude + query)
