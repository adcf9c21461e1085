"""Scanners in PostgreSQL. A deleted one keeps its row, for its scans name it; it is shown to nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth import audit, store_audit, store_company, store_key
from services.auth.changes import Change, Kind
from services.auth.keys import SealedKey
from services.auth.scanners import (
    CREDENTIAL_FIELDS,
    ApiKey,
    Quota,
    Scanner,
    ScannerNotFound,
    Status,
    Type,
)
from services.auth.store_mark import mark, next_revision
from services.auth.tables import AnyRow
from services.auth.tables import scanners as table
from services.chassis.database import Database
from services.chassis.ids import uuid7
from services.chassis.paging import Page


class ScannerStore:
    """Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self, values: Mapping[str, Any], key: SealedKey, quota: Quota, entry: audit.Entry
    ) -> Scanner:
        """Store a new scanner, ACTIVE, of the company of its first key; a region not given is the company's.

        Raises:
            CompanyNotFound: there is no such company.
            ScannerLimitReached: it has as many scanners as its quota.
            RegionLimitReached: its scanners would be in more regions than its quota.
        """
        async with self._database.transaction(company_id=key.company_id) as connection:
            home = await store_company.hold(connection, key.company_id)
            region = values.get("region", home)
            if quota.limits:
                quota.check_one_more(region, await _held(connection, key.company_id))
            row = {
                **values,
                "region": region,
                "company_id": key.company_id,
                "scanner_id": uuid7(),
                "status": Status.ACTIVE,
                "create_time": entry.time,
            }
            stored = (await connection.execute(sa.insert(table).values(row).returning(table))).one()
            await store_key.insert(connection, stored.scanner_id, key, entry.time)
            await mark(connection, _change(stored, entry.time, created=True))
            await store_audit.write(
                connection, entry, company_id=key.company_id, resource_id=stored.scanner_id
            )
            return _scanner(stored)

    async def get(self, company_id: int, scanner_id: UUID) -> Scanner:
        """Answer a scanner.

        Raises:
            ScannerNotFound: the company has none with this id, or it was deleted.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            return _scanner(await _get(connection, company_id, scanner_id))

    async def list(self, company_id: int, page: Page[UUID]) -> Sequence[Scanner]:
        """Answer a page of a company's scanners, newest first, and one more if there are more."""
        query = sa.select(table).where(table.c.company_id == company_id, table.c.delete_time.is_(None))
        if page.after is not None:
            query = query.where(table.c.scanner_id < page.after)
        async with self._database.transaction(company_id=company_id) as connection:
            rows = await connection.execute(query.order_by(table.c.scanner_id.desc()).limit(page.size + 1))
            return [_scanner(row) for row in rows]

    async def update(
        self, company_id: int, scanner_id: UUID, values: Mapping[str, Any], quota: Quota, entry: audit.Entry
    ) -> Scanner:
        """Change fields of a scanner; what concerns its credentials or limits is marked for publication.

        Raises:
            ScannerNotFound: the company has none with this id, or it was deleted.
            RegionLimitReached: the company's scanners would be in more regions than its quota.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            row = await _get(connection, company_id, scanner_id, lock=True)
            if quota.limits and values.get("region", row.region) != row.region:
                await store_company.hold(connection, company_id)
                others = await _held(connection, company_id, but=scanner_id)
                quota.check_region(values["region"], others)
            if values:
                row = await _update(connection, row, values, entry.time)
                await store_audit.write(connection, entry, company_id=company_id, resource_id=scanner_id)
            return _scanner(row)

    async def delete(self, company_id: int, scanner_id: UUID, entry: audit.Entry) -> bool:
        """Hide a scanner and revoke its keys; tell whether the company had one with this id."""
        async with self._database.transaction(company_id=company_id) as connection:
            row = await _find(connection, company_id, scanner_id, lock=True)
            if row is None:
                return False
            values = {"delete_time": entry.time, "status": Status.DISABLED}
            await _update(connection, row, values, entry.time)
            await store_key.revoke(connection, row, entry.time)
            await store_audit.write(connection, entry, company_id=company_id, resource_id=scanner_id)
            return True

    async def rotate(
        self, scanner_id: UUID, key: SealedKey, *, overlap: timedelta, entry: audit.Entry
    ) -> None:
        """Store a new key of a scanner, and let the others end after `overlap`.

        Raises:
            ScannerNotFound: the key's company has none with this id, or it was deleted.
        """
        async with self._database.transaction(company_id=key.company_id) as connection:
            row = await _get(connection, key.company_id, scanner_id, lock=True)
            if overlap:
                await store_key.retire(connection, row, overlap, entry.time)
                # Nothing of the scanner changes; being told that it did, caches read its keys' new end.
                await _update(connection, row, {"status": row.status}, entry.time)
            else:
                await store_key.revoke(connection, row, entry.time)
            await store_key.insert(connection, scanner_id, key, entry.time)
            await store_audit.write(connection, entry, company_id=key.company_id, resource_id=scanner_id)

    async def revoke_keys(self, company_id: int, scanner_id: UUID, entry: audit.Entry) -> int:
        """End all keys of a scanner now, and answer how many there were.

        Raises:
            ScannerNotFound: the company has none with this id, or it was deleted.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            row = await _get(connection, company_id, scanner_id, lock=True)
            count = await store_key.revoke(connection, row, entry.time)
            if count:
                await store_audit.write(connection, entry, company_id=company_id, resource_id=scanner_id)
            return count

    async def keys(self, company_id: int, scanner_id: UUID, now: datetime) -> Sequence[ApiKey]:
        """Answer a scanner's keys that still work, newest first.

        Raises:
            ScannerNotFound: the company has none with this id, or it was deleted.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            await _get(connection, company_id, scanner_id)
            return await store_key.living(connection, company_id, scanner_id, now)


async def _held(connection: AsyncConnection, company_id: int, *, but: UUID | None = None) -> dict[str, int]:
    """Count a company's scanners by region, but for one; while the company is held, so is the count."""
    query = sa.select(table.c.region, sa.func.count().label("scanners")).group_by(table.c.region)
    query = query.where(table.c.company_id == company_id, table.c.delete_time.is_(None))
    if but is not None:
        query = query.where(table.c.scanner_id != but)
    return {row.region: row.scanners for row in await connection.execute(query)}


async def _find(
    connection: AsyncConnection, company_id: int, scanner_id: UUID, *, lock: bool = False
) -> AnyRow | None:
    """Answer a scanner's row; locked, it keeps the changes of the scanner and of its keys apart."""
    query = sa.select(table).where(
        table.c.company_id == company_id, table.c.scanner_id == scanner_id, table.c.delete_time.is_(None)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    return (await connection.execute(query)).one_or_none()


async def _get(
    connection: AsyncConnection, company_id: int, scanner_id: UUID, *, lock: bool = False
) -> AnyRow:
    row = await _find(connection, company_id, scanner_id, lock=lock)
    if row is None:
        raise ScannerNotFound(str(scanner_id))
    return row


async def _update(
    connection: AsyncConnection, before: AnyRow, values: Mapping[str, Any], now: datetime
) -> AnyRow:
    published = bool(CREDENTIAL_FIELDS.intersection(values))
    revision = {"revision": await next_revision(connection)} if published else {}
    this = (table.c.company_id == before.company_id, table.c.scanner_id == before.scanner_id)
    changed = sa.update(table).where(*this).values({**values, **revision}).returning(table)
    row: AnyRow = (await connection.execute(changed)).one()
    if published:
        await mark(connection, _change(row, now))
    return row


def _change(row: AnyRow, now: datetime, *, created: bool = False) -> Change:
    """Answer the change that left a scanner's row as it is."""
    return Change(
        change_id=uuid7(),
        kind=Kind.SCANNER,
        company_id=row.company_id,
        revision=row.revision,
        change_time=now,
        holder_id=str(row.scanner_id),
        active=row.status == Status.ACTIVE,
        scanner_type=row.type,
        created=created,
    )


def _scanner(row: AnyRow) -> Scanner:
    return Scanner(
        company_id=row.company_id,
        scanner_id=row.scanner_id,
        display_name=row.display_name,
        type=Type(row.type),
        location=row.location,
        region=row.region,
        firmware_version=row.firmware_version,
        status=Status(row.status),
        create_time=row.create_time,
        last_seen_time=row.last_seen_time,
    )
