"""Records scans: one transaction decides every scan of every message in it.

First the ids are taken; the rows taken *now* go into the scan events and the rollups. Then a second statement reads
who owns the other ids: only its snapshot (READ COMMITTED) is younger than the rows the first one waited for. What a
message has won, now or in an earlier delivery, is what those rows say, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.ingest import rollups, store_rollup
from services.ingest.accepted import AcceptedScan, Message
from services.ingest.ownership import Decision, Owner, decide
from services.ingest.store_day import DayStore

Scans = Sequence[tuple[Message, AcceptedScan]]
Owners = dict[tuple[int, UUID], Owner]

# Whoever writes the floor takes this lock alone. A row lock (FOR SHARE) would fence as well, but recorders that
# overlap all the time would hold it all the time: the writer would never get its turn.
_FENCE = sa.text("SELECT pg_advisory_xact_lock_shared(hashtext('ingest.floors'))")
_FLOOR = sa.text("SELECT first_sequence FROM ingest.floors WHERE epoch = :epoch")
_TAKE = sa.text("""
    INSERT INTO ingest.scan_ids (company_id, scan_id, message_id, index, digest, accept_time, dead)
    SELECT company_id, scan_id, message_id, index, digest, accept_time, :dead
    FROM unnest(
        CAST(:company_id AS int[]), CAST(:scan_id AS uuid[]), CAST(:message_id AS uuid[]), CAST(:index AS int[]),
        CAST(:digest AS bigint[]), CAST(:accept_time AS timestamptz[]))
        WITH ORDINALITY AS scan (company_id, scan_id, message_id, index, digest, accept_time, place)
    ORDER BY company_id, scan_id, place
    ON CONFLICT (company_id, scan_id) DO NOTHING
    RETURNING message_id, index
""")
_OWNERS = sa.text("""
    SELECT company_id, scan_id, message_id, index, digest, dead
    FROM unnest(CAST(:company_id AS int[]), CAST(:scan_id AS uuid[])) AS asked (company_id, scan_id)
    JOIN ingest.scan_ids USING (company_id, scan_id)
""")
_REVIVE = sa.text("""
    UPDATE ingest.scan_ids SET message_id = :message_id, index = 0, dead = :dead
    WHERE company_id = :company_id AND scan_id = :scan_id AND dead AND message_id = :replays
    RETURNING company_id
""")
_LETTERS_ANSWERED = sa.text("""
    UPDATE ingest.dead_letters SET revive_time = now()
    WHERE company_id = :company_id AND scan_id = :scan_id AND message_id = replace(CAST(CAST(:replays AS uuid) AS text), '-', '')
        AND reason <> 'SCAN_ID_REUSED' AND revive_time IS NULL
""")
_EVENT_COLUMNS = (
    "company_id",
    "accept_time",
    "scan_id",
    "scanner_id",
    "kind",
    "lane",
    "region",
    "scan_time",
    "content",
)
_FAULTS_OF_DATA = ("22", "23", "54")
"""Classes of SQLSTATE by which PostgreSQL refuses a value: bad data, a constraint, too large."""
_REFUSALS = (exc.DBAPIError, asyncpg.PostgresError)


class _DayMissing(Unavailable):
    def __init__(self) -> None:
        super().__init__("the day of a scan is not there; it is made when the message comes again")


class RecordStore:
    """Decides messages; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days = DayStore(database)

    async def record(self, messages: Sequence[Message], epoch: str) -> list[Decision | None]:
        """Decide messages; None for one that was decided long ago and merely woke up late.

        Args:
            messages: the messages, in the order of the stream.
            epoch: the stream's.

        Raises:
            Unavailable: the database is away; nothing is known to be decided.
            Exception: the store refuses a scan; nothing is decided.
        """
        async with self._deciding(messages, epoch) as (connection, floor):
            current = [message for message in messages if message.sequence >= floor]
            scans = [(message, scan) for message in current if not message.replays for scan in message.scans]
            taken = await _take(connection, scans, dead=False)
            for message in sorted((each for each in current if each.replays), key=_replayed_key):
                if await _revive(connection, message, dead=False):
                    taken.append((message, message.scans[0]))
            owners = await _owners(connection, current, taken)
            await _keep(connection, taken)
            return [decide(message, owners) if message.sequence >= floor else None for message in messages]

    async def bury(self, message: Message, epoch: str, *, hopeless: bool) -> Decision | None:
        """Decide a message that has failed: the scans that the store refuses die, all others are recorded.

        Args:
            message: the message.
            epoch: the stream's.
            hopeless: let all its scans die that are not on record: storing them kills the worker.

        Raises:
            Unavailable: the database is away, or fails in a way that no scan can be blamed for.
        """
        try:
            async with self._deciding([message], epoch) as (connection, floor):
                if message.sequence < floor:
                    return None
                scans = [(message, scan) for scan in sorted(message.scans, key=lambda scan: scan.key)]
                if hopeless:
                    await _kill(connection, scans)
                else:
                    await _single_out(connection, scans)
                return decide(message, await _owners(connection, [message], ()))
        except _REFUSALS as error:
            raise Unavailable("a message cannot be decided, and no scan of it is to blame") from error

    @asynccontextmanager
    async def _deciding(
        self, messages: Sequence[Message], epoch: str
    ) -> AsyncIterator[tuple[AsyncConnection, int]]:
        """Open the transaction, with the days of the scans there and the floor fixed until it ends."""
        await self._days.make(scan.accept_time.date() for message in messages for scan in message.scans)
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_FENCE)
                floor = (await connection.execute(_FLOOR, {"epoch": epoch})).scalar()
                yield connection, floor or 0
        except _DayMissing:
            self._days.forget()
            raise


async def _take(
    connection: AsyncConnection, scans: Scans, *, dead: bool
) -> list[tuple[Message, AcceptedScan]]:
    """Take the ids that nobody has, the first of equal ones; answer whose were taken."""
    if not scans:
        return []
    rows = await connection.execute(_TAKE, {**_id_columns(scans), "dead": dead})
    places = {(message.message_id, scan.index): (message, scan) for message, scan in scans}
    return [places[tuple(row)] for row in rows]


async def _revive(connection: AsyncConnection, message: Message, *, dead: bool) -> bool:
    """Take a dead scan over from the message that a replay names, and tell whether it was there to be taken."""
    scan = message.scans[0]
    replayed = {"company_id": scan.company_id, "scan_id": scan.scan_id, "replays": message.replays}
    own = {"message_id": message.message_id, "dead": dead}
    if (await connection.execute(_REVIVE, {**replayed, **own})).first() is None:
        return False
    await connection.execute(_LETTERS_ANSWERED, replayed)
    return True


async def _owners(connection: AsyncConnection, messages: Sequence[Message], taken: Scans) -> Owners:
    """Read who owns the ids of these messages; of those taken just now that is known."""
    owners = {
        scan.key: Owner(message.message_id, scan.index, scan.digest, dead=False) for message, scan in taken
    }
    asked = sorted({scan.key for message in messages for scan in message.scans} - owners.keys())
    if asked:
        companies, ids = zip(*asked, strict=True)
        rows = await connection.execute(_OWNERS, {"company_id": companies, "scan_id": ids})
        for company_id, scan_id, *owner in rows:
            owners[company_id, scan_id] = Owner(*owner)
    return owners


async def _keep(connection: AsyncConnection, taken: Scans) -> None:
    """Store scans whose ids were taken just now."""
    if not taken:
        return
    driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    records = [_event(message, scan) for message, scan in taken]
    try:
        await driver.copy_records_to_table(
            "scan_events", schema_name="ingest", columns=_EVENT_COLUMNS, records=records
        )
    except asyncpg.CheckViolationError as error:
        if error.constraint_name is None:  # no check of ours: there is no partition for the row
            raise _DayMissing from error
        raise
    await store_rollup.add(connection, rollups.recorded(scan for _, scan in taken))


async def _single_out(connection: AsyncConnection, scans: Scans) -> None:
    """Record scans; where the store refuses them, halve them until only those are left that it refuses alone."""
    try:
        async with connection.begin_nested():
            await _keep(connection, await _taken(connection, scans, dead=False))
    except _REFUSALS as error:
        if not _refused(error):
            raise
        if len(scans) == 1:
            await _kill(connection, scans)
        else:
            middle = len(scans) // 2
            await _single_out(connection, scans[:middle])
            await _single_out(connection, scans[middle:])


async def _kill(connection: AsyncConnection, scans: Scans) -> None:
    """Let scans die: a dead one takes its id as well, so that no other delivery can store it."""
    await _taken(connection, scans, dead=True)


async def _taken(
    connection: AsyncConnection, scans: Scans, *, dead: bool
) -> list[tuple[Message, AcceptedScan]]:
    message, scan = scans[0]
    if message.replays:
        return [(message, scan)] if await _revive(connection, message, dead=dead) else []
    return await _take(connection, scans, dead=dead)


def _refused(error: exc.DBAPIError | asyncpg.PostgresError) -> bool:
    """Tell a scan that PostgreSQL refuses from a database that cannot."""
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(getattr(origin, "sqlstate", "")).startswith(_FAULTS_OF_DATA)


def _replayed_key(message: Message) -> tuple[int, UUID]:
    return message.scans[0].key


def _id_columns(scans: Scans) -> Mapping[str, Sequence[Any]]:
    names = ("company_id", "scan_id", "message_id", "index", "digest", "accept_time")
    rows = [
        (scan.company_id, scan.scan_id, message.message_id, scan.index, scan.digest, scan.accept_time)
        for message, scan in scans
    ]
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _event(message: Message, scan: AcceptedScan) -> tuple[object, ...]:
    return (
        scan.company_id,
        scan.accept_time,
        scan.scan_id,
        scan.scanner_id,
        scan.kind,
        message.lane,
        scan.region,
        scan.scan_time,
        scan.scan.SerializeToString(deterministic=True),
    )
