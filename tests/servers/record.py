"""What the record process would have written, put there by hand: rows that tests of the queries ask for."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.database import COMPANY_SETTING, Database
from services.chassis.ids import uuid7
from services.ingest import tables
from tests.fakes import scans
from tests.fakes.identities import SCANNER_ID

_PLACE = {"scanner_id": UUID(SCANNER_ID), "lane": "premium", "region": "local"}


class Record:
    """Writes as the worker does, for one company."""

    def __init__(self, worker: Database, company_id: int) -> None:
        self._worker = worker
        self.company_id = company_id

    async def scans(
        self, times: list[datetime], *, known: bool = True, sent: scan_pb2.Scan | None = None, **others: Any
    ) -> list[scan_pb2.Scan]:
        """Put scans on record, one for each accept time, and answer them in this order.

        Args:
            times: when they were accepted.
            known: whether the deduplication still has them.
            sent: the content; a good one by default.
            others: columns of `scan_events` that are not as usual.
        """
        made = [sent or scans.scan() for _ in times]
        both = list(zip(times, made, strict=True))
        events = [{**self._row(at, scan), **_PLACE, **_event(scan), **others} for at, scan in both]
        ids = [{**self._row(at, scan), **_won(), "dead": False} for at, scan in both]
        async with self._worker.transaction() as connection:
            for day in {at.date() for at in times}:
                await connection.execute(sa.select(sa.func.ingest.create_day(day)))
            await connection.execute(sa.insert(tables.scan_events), events)
            if known:
                await connection.execute(sa.insert(tables.scan_ids), ids)
        return made

    async def scan(self, at: datetime, **others: Any) -> scan_pb2.Scan:
        """Put one scan on record."""
        return (await self.scans([at], **others))[0]

    async def dead(self, at: datetime, *, written: bool = True, **others: Any) -> UUID:
        """Have a scan die as it is recorded, and answer the id of its letter.

        Args:
            at: when it was accepted.
            written: whether the letter has arrived.
            others: columns of `dead_letters` that are not as usual.
        """
        scan = scans.scan(scan_id=str(others.get("scan_id") or uuid7()))
        letter = _letter(scan) | {"company_id": self.company_id, "accept_time": at, "fail_time": at} | others
        row = {**self._row(at, scan), **_won(UUID(letter["message_id"])), "dead": True}
        async with self._worker.transaction() as connection:
            await connection.execute(sa.insert(tables.scan_ids), [row | {"index": letter["index"]}])
        if written:
            await self.write_letter(letter)
        return letter["dead_letter_id"]

    async def write_letter(self, row: dict[str, Any]) -> None:
        """Have a letter arrive."""
        async with self._worker.transaction() as connection:
            await connection.execute(sa.insert(tables.dead_letters), [row])

    async def letter(self, dead_letter_id: UUID) -> Any:
        """Answer a letter's row."""
        wanted = sa.select(tables.dead_letters).where(
            tables.dead_letters.c.company_id == self.company_id,
            tables.dead_letters.c.dead_letter_id == dead_letter_id,
        )
        async with self._worker.transaction() as connection:
            return (await connection.execute(wanted)).one()

    async def forget(self, dead_letter_id: UUID) -> None:
        """Take a letter away."""
        table = tables.dead_letters
        async with self._worker.transaction() as connection:
            await connection.execute(sa.delete(table).where(table.c.dead_letter_id == dead_letter_id))

    async def revive(self, dead_letter_id: UUID) -> None:
        """Have a replay succeed: the scan of a letter is on record after all."""
        letter = await self.letter(dead_letter_id)
        await self.scans(
            [letter.accept_time],
            known=False,
            sent=scan_pb2.Scan.FromString(letter.scan),
            region=letter.region,
        )
        ids, written = tables.scan_ids, tables.dead_letters
        async with self._worker.transaction() as connection:
            await connection.execute(
                sa.update(ids).where(ids.c.scan_id == letter.scan_id).values(dead=False, **_won())
            )
            await connection.execute(
                sa.update(written)
                .where(written.c.dead_letter_id == dead_letter_id)
                .values(revive_time=letter.fail_time)
            )

    async def counted(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        """Count in a rollup."""
        usual = {"company_id": self.company_id, "kind": "barcode", "region": "local"}
        zero = {"recorded": 0, "enriched": 0, "failed": 0}
        async with self._worker.transaction() as connection:
            await connection.execute(sa.insert(table), [usual | zero | row for row in rows])

    def _row(self, at: datetime, scan: scan_pb2.Scan) -> dict[str, Any]:
        return {"company_id": self.company_id, "scan_id": UUID(scan.scan_id), "accept_time": at}


def _won(message_id: UUID | None = None) -> dict[str, Any]:
    return {"message_id": message_id or uuid4(), "index": 0, "digest": 0}


def _event(scan: scan_pb2.Scan) -> dict[str, Any]:
    return {"kind": "barcode", "scan_time": None, "content": scan.SerializeToString()}


def _letter(scan: scan_pb2.Scan) -> dict[str, Any]:
    return {
        **_PLACE,
        "dead_letter_id": uuid7(),
        "scan_id": UUID(scan.scan_id),
        "consumer": "ingest_recorder",
        "reason": "INTERNAL",
        "tries": 3,
        "message_id": secrets.token_hex(16),
        "index": 4,
        "scan": scan.SerializeToString(),
        "payload": b"",
    }


class Lagging:
    """A replica that has stopped to follow: it shows what was there when it was made."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def behind(cls, database: Database) -> AsyncIterator[Lagging]:
        """Make one that shows what `database` holds now."""
        async with database.transaction() as connection:
            await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await connection.execute(sa.text("SELECT 1"))
            yield cls(connection)

    @asynccontextmanager
    async def transaction(self, *, company_id: int) -> AsyncIterator[Any]:
        """Run statements as `company_id`."""
        named = sa.func.set_config(COMPANY_SETTING, str(company_id), sa.true())
        await self._connection.execute(sa.select(named))
        yield self._connection


def spread(newest: datetime, count: int, apart: timedelta) -> list[datetime]:
    """Answer so many times, newest first."""
    return [newest - number * apart for number in range(count)]
