"""Records scans: one transaction decides every scan of every message in it.

First all scans are sent, then the ids are taken; the rows taken *now* go into the scan events and the rollups. Then
another statement reads who owns the other ids: only its snapshot (READ COMMITTED) is younger than the rows that taking
waited for. What a message has won, now or in an earlier delivery, is what those rows say, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database, refused
from services.chassis.errors import Unavailable
from services.ingest import floor, rollups, store_incoming, store_rollup
from services.ingest.accepted import Message
from services.ingest.floor import Floor
from services.ingest.ownership import Decision, Owner, decide
from services.ingest.store_day import DayStore
from services.ingest.store_incoming import Incoming

Scans = Sequence[Incoming]
Owners = dict[tuple[int, UUID], Owner]

# Whoever writes the floor takes this lock alone. A row lock (FOR SHARE) would fence as well, but recorders that
# overlap all the time would hold it all the time: the writer would never get its turn.
_FENCE = sa.text("SELECT pg_advisory_xact_lock_shared(hashtext('ingest.floors'))")
_FLOOR = sa.text("SELECT first_sequence, before_time FROM ingest.floors WHERE epoch = :epoch")
_TAKE = sa.text("""
    INSERT INTO ingest.scan_ids (company_id, scan_id, message_id, index, digest, accept_time, dead)
    SELECT company_id, scan_id, message_id, index, digest, accept_time, :dead
    FROM pg_temp.incoming JOIN unnest(CAST(:places AS int[])) AS place USING (place)
    ORDER BY company_id, scan_id, place
    ON CONFLICT (company_id, scan_id) DO NOTHING
    RETURNING message_id, index
""")
_KEEP = sa.text("""
    INSERT INTO ingest.scan_events
        (company_id, accept_time, scan_id, scanner_id, kind, lane, region, scan_time, content)
    SELECT company_id, accept_time, scan_id, scanner_id, kind, lane, region, scan_time, content
    FROM pg_temp.incoming JOIN unnest(CAST(:places AS int[])) AS place USING (place)
""")
_OWNERS = sa.text("""
    SELECT company_id, scan_id, owner.message_id, owner.index, owner.digest, owner.dead
    FROM pg_temp.incoming JOIN unnest(CAST(:places AS int[])) AS place USING (place)
    JOIN ingest.scan_ids AS owner USING (company_id, scan_id)
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
        scans = store_incoming.placed(messages)
        async with self._deciding(scans) as connection:
            await store_incoming.send(connection, scans)
            late = (await _fixed_floor(connection, epoch)).is_above
            current = [each for each in scans if not late(each.message)]
            taken = await _take(connection, current, dead=False)
            owners = await _owners(connection, current, taken)
            await _keep(connection, taken)
            return [None if late(message) else decide(message, owners) for message in messages]

    async def bury(self, message: Message, epoch: str, *, hopeless: bool) -> list[Decision | None]:
        """Decide one that has failed, as `record` does: the scans that the store refuses die, all others live.

        Args:
            message: the message.
            epoch: the stream's.
            hopeless: let all its scans die that are not on record: storing them kills the worker.

        Raises:
            Unavailable: the database is away, or fails in a way that no scan can be blamed for.
        """
        scans = sorted(store_incoming.placed([message]), key=_key)
        try:
            async with self._deciding(scans) as connection:
                if hopeless:
                    await store_incoming.send_ids(connection, scans)
                else:
                    await _each(connection, scans, store_incoming.send, store_incoming.send_ids)
                late = (await _fixed_floor(connection, epoch)).is_above
                if late(message):
                    return [None]
                if hopeless:
                    await _kill(connection, scans)
                else:
                    await _each(connection, scans, _record, _kill)
                return [decide(message, await _owners(connection, scans, ()))]
        except _REFUSALS as error:
            raise Unavailable("a message cannot be decided, and no scan of it is to blame") from error

    @asynccontextmanager
    async def _deciding(self, scans: Scans) -> AsyncIterator[AsyncConnection]:
        """Open the transaction, with the days of the scans there."""
        await self._days.make(each.scan.accept_time.date() for each in scans)
        try:
            async with self._database.transaction() as connection:
                await store_incoming.make(connection)
                yield connection
        except _DayMissing:
            self._days.forget()
            raise


async def _fixed_floor(connection: AsyncConnection, epoch: str) -> Floor:
    """Answer the floor; it stays where it is until the transaction ends."""
    await connection.execute(_FENCE)
    row = (await connection.execute(_FLOOR, {"epoch": epoch})).first()
    return Floor(*row) if row else floor.NONE


async def _take(connection: AsyncConnection, scans: Scans, *, dead: bool) -> list[Incoming]:
    """Take the ids that nobody has, the first of equal ones, and dead scans over; answer whose were taken."""
    taken = await _take_new(connection, [each for each in scans if not each.message.replays], dead=dead)
    for each in sorted((each for each in scans if each.message.replays), key=_key):
        if await _revive(connection, each, dead=dead):
            taken.append(each)
    return taken


async def _take_new(connection: AsyncConnection, scans: Scans, *, dead: bool) -> list[Incoming]:
    if not scans:
        return []
    rows = await connection.execute(_TAKE, {**_places(scans), "dead": dead})
    sent = {(each.message.message_id, each.scan.index): each for each in scans}
    return [sent[tuple(row)] for row in rows]


async def _revive(connection: AsyncConnection, replay: Incoming, *, dead: bool) -> bool:
    """Take a dead scan over from the message that a replay names, and tell whether it was there to be taken."""
    _, message, scan = replay
    replayed = {"company_id": scan.company_id, "scan_id": scan.scan_id, "replays": message.replays}
    own = {"message_id": message.message_id, "dead": dead}
    if (await connection.execute(_REVIVE, {**replayed, **own})).first() is None:
        return False
    await connection.execute(_LETTERS_ANSWERED, replayed)
    return True


async def _owners(connection: AsyncConnection, scans: Scans, taken: Scans) -> Owners:
    """Read who owns the ids of these scans; of those taken just now that is known."""
    owners = {
        scan.key: Owner(message.message_id, scan.index, scan.digest, dead=False) for _, message, scan in taken
    }
    asked = [each for each in scans if each.scan.key not in owners]
    if asked:
        for company_id, scan_id, *owner in await connection.execute(_OWNERS, _places(asked)):
            owners[company_id, scan_id] = Owner(*owner)
    return owners


async def _keep(connection: AsyncConnection, taken: Scans) -> None:
    """Store scans whose ids were taken just now."""
    if not taken:
        return
    try:
        await connection.execute(_KEEP, _places(taken))
    except exc.IntegrityError as error:
        if _lacks_partition(error):
            raise _DayMissing from error
        raise
    await store_rollup.add(connection, rollups.recorded(each.scan for each in taken))


async def _record(connection: AsyncConnection, scans: Scans) -> None:
    await _keep(connection, await _take(connection, scans, dead=False))


async def _kill(connection: AsyncConnection, scans: Scans) -> None:
    """Let scans die: a dead one takes its id as well, so that no other delivery can store it."""
    await _take(connection, scans, dead=True)


_Step = Callable[[AsyncConnection, Scans], Awaitable[None]]


async def _each(connection: AsyncConnection, scans: Scans, step: _Step, otherwise: _Step) -> None:
    """Do a step with scans; halve what the store refuses, and do `otherwise` with those it refuses alone."""
    try:
        async with connection.begin_nested():
            await step(connection, scans)
    except _REFUSALS as error:
        if not refused(error):
            raise
        if len(scans) == 1:
            return await otherwise(connection, scans)
        middle = len(scans) // 2
        await _each(connection, scans[:middle], step, otherwise)
        await _each(connection, scans[middle:], step, otherwise)


def _lacks_partition(error: exc.IntegrityError) -> bool:
    """Tell a row that has no partition from one that a check refuses: such an error names no constraint."""
    cause = error.orig.__cause__ if error.orig else None
    return isinstance(cause, asyncpg.CheckViolationError) and cause.constraint_name is None


def _places(scans: Scans) -> dict[str, Sequence[int]]:
    return {"places": [each.place for each in scans]}


def _key(incoming: Incoming) -> tuple[int, UUID]:
    return incoming.scan.key
