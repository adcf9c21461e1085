"""Results in PostgreSQL. A row belongs to the event that won it; what is told is what the rows say.

Rows inserted just now say what was sent. The others are read by a second statement, in READ COMMITTED: the snapshot of
the inserting one is older than the rows it waited for, so it would not see what another worker has stored meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database, refused
from services.chassis.subjects import Kind
from services.enrichment.results import Candidates, Result, State
from services.enrichment.tables import AnyRow
from services.enrichment.tables import results as table

_ROWS_AT_A_TIME = 4_000
"""Rows of one statement: far from the 5 s that a statement may take."""

_COLUMNS = tuple(column.name for column in table.columns)
_WON_BY = ("company_id", "scan_id", "recorded_id")
_KEY = (*_WON_BY, "index")
_key = attrgetter(*_KEY)


def _rows(names: Sequence[str]) -> sa.TableValuedAlias:
    """Describe rows that are sent as one array for each column."""
    arrays = (sa.bindparam(name, type_=sa.ARRAY(table.c[name].type)) for name in names)
    columns = (sa.column(name, table.c[name].type) for name in names)
    return sa.func.unnest(*arrays).table_valued(*columns, name="sent").render_derived()


def _arrays(results: Sequence[Result], names: Sequence[str]) -> dict[str, list[object]]:
    return {name: [getattr(result, name) for result in results] for name in names}


_INSERT = (
    postgresql.insert(table)
    .from_select(_COLUMNS, sa.select(_rows(_COLUMNS)))
    .on_conflict_do_nothing()
    .returning(*(table.c[name] for name in _KEY))
)
_sent = _rows(_WON_BY)
_SELECT_WON = sa.select(table).join(_sent, sa.and_(*(table.c[name] == _sent.c[name] for name in _WON_BY)))


class ResultStore:
    """Each method is one transaction; keeping is the worker's, who works for all companies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, company_id: int, scan_id: UUID) -> Result | None:
        """Answer a scan's result, or None if it has none."""
        query = sa.select(table).where(table.c.company_id == company_id, table.c.scan_id == scan_id)
        async with self._database.transaction(company_id=company_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        return _result(row) if row is not None else None

    async def keep(self, candidates: Candidates) -> Sequence[Result]:
        """Store the results of scans that have none, and of replays that take over a failed one.

        Answers the results that the candidates' events have won, now or before, whoever computed them.
        """
        async with self._database.transaction() as connection:
            won: list[Result] = []
            for some in _sorted(candidates.results):
                inserted = await _write(connection, some, candidates)
                won += await _won(connection, some, inserted)
            return won

    async def keep_or_fail(self, candidates: Candidates, tries: int) -> Sequence[Result]:
        """Do the same where the database refuses some results: these scans have failed, after so many tries."""
        async with self._database.transaction() as connection:
            won: list[Result] = []
            for some in _sorted(candidates.results):
                inserted = await _single_out(connection, some, candidates, tries)
                won += await _won(connection, some, inserted)
            return won


async def _write(
    connection: AsyncConnection, results: Sequence[Result], candidates: Candidates
) -> Sequence[Result]:
    """Insert fresh results, let replays take over theirs, and answer those that were inserted."""
    fresh = [result for result in results if result.recorded_id not in candidates.replayed]
    inserted = await _insert(connection, fresh) if fresh else ()
    for result in results:
        if (replayed_id := candidates.replayed.get(result.recorded_id)) is not None:
            await _take_over(connection, result, replayed_id)
    return inserted


async def _insert(connection: AsyncConnection, results: Sequence[Result]) -> Sequence[Result]:
    sent = {_key(result): result for result in results}
    return [sent[tuple(row)] for row in await connection.execute(_INSERT, _arrays(results, _COLUMNS))]


async def _take_over(connection: AsyncConnection, result: Result, replayed_id: UUID) -> None:
    """Turn a scan's failed result into this one, if it still is that of the event which is replayed."""
    this = (table.c.company_id == result.company_id, table.c.scan_id == result.scan_id)
    dead = (table.c.state == State.FAILED, table.c.recorded_id == replayed_id)
    names = ("recorded_id", "index", "state", "tries", "enrich_time", "result")
    values = {name: getattr(result, name) for name in names}
    await connection.execute(sa.update(table).where(*this, *dead).values(values))


async def _single_out(
    connection: AsyncConnection, results: Sequence[Result], candidates: Candidates, tries: int
) -> Sequence[Result]:
    """Write all that the database takes; of a half that it refuses, the halves. Answer what was inserted."""
    try:
        async with connection.begin_nested():
            return await _write(connection, results, candidates)
    except exc.DBAPIError as error:
        if not refused(error):
            raise
    if len(results) == 1:
        # Nothing is left in it but what the mesh itself has made: that can be stored.
        return await _write(connection, [results[0].failed(tries)], candidates)
    middle = len(results) // 2
    first = await _single_out(connection, results[:middle], candidates, tries)
    return [*first, *await _single_out(connection, results[middle:], candidates, tries)]


async def _won(
    connection: AsyncConnection, results: Sequence[Result], inserted: Sequence[Result]
) -> Sequence[Result]:
    """Answer what the events of these results have won: now, or before."""
    here = {(result.company_id, result.scan_id) for result in inserted}
    others = [result for result in results if (result.company_id, result.scan_id) not in here]
    if not others:
        return inserted
    rows = await connection.execute(_SELECT_WON, _arrays(others, _WON_BY))
    return [*inserted, *map(_result, rows)]


def _sorted(results: Sequence[Result]) -> Sequence[Sequence[Result]]:
    """Answer results in portions, in the order in which all workers write rows: no two wait for each other."""
    ordered = sorted(results, key=lambda result: (result.company_id, result.scan_id.int))
    return [ordered[start : start + _ROWS_AT_A_TIME] for start in range(0, len(ordered), _ROWS_AT_A_TIME)]


def _result(row: AnyRow) -> Result:
    return Result(
        company_id=row.company_id,
        scan_id=row.scan_id,
        recorded_id=row.recorded_id,
        index=row.index,  # type: ignore[arg-type]  # the column, not the tuple's method
        kind=Kind(row.kind),
        scanner_id=row.scanner_id,
        region=row.region,
        state=State(row.state),
        tries=row.tries,
        enrich_time=row.enrich_time,
        accept_time=row.accept_time,
        result=row.result,
    )
