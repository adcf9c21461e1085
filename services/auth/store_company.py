"""Companies in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth import audit, store_audit
from services.auth.changes import Change, Kind
from services.auth.companies import CREDENTIAL_FIELDS, Company, CompanyNotFound, Status
from services.auth.store_mark import mark, next_revision
from services.auth.tables import AnyRow, companies, company_ids
from services.chassis.database import Database
from services.chassis.identity import PLATFORM
from services.chassis.ids import uuid7
from services.chassis.paging import Page


class CompanyStore:
    """Each method is one transaction, but for the number that `create` takes first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, values: Mapping[str, Any], entry: audit.Entry) -> Company:
        """Store a new company, ACTIVE."""
        # The number comes first: the rows are then written as that very company, behind its own wall.
        async with self._database.transaction() as connection:
            company_id = (await connection.execute(sa.select(company_ids.next_value()))).scalar_one()
        row = {**values, "company_id": company_id, "status": Status.ACTIVE, "create_time": entry.time}
        async with self._database.transaction(company_id=company_id) as connection:
            stored = await connection.execute(sa.insert(companies).values(row).returning(companies))
            company = stored.one()
            await mark(connection, _change(company, entry.time, created=True))
            await store_audit.write(connection, entry, company_id=company_id, resource_id=company_id)
            return _company(company)

    async def get(self, company_id: int) -> Company:
        """Answer a company.

        Raises:
            CompanyNotFound: there is none with this id.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            return _company(await _select(connection, company_id))

    async def list(self, page: Page[int]) -> Sequence[Company]:
        """Answer a page of all companies, newest first, and one more if there are more."""
        query = sa.select(companies).order_by(companies.c.company_id.desc()).limit(page.size + 1)
        if page.after is not None:
            query = query.where(companies.c.company_id < page.after)
        async with self._database.transaction(company_id=PLATFORM) as connection:
            return [_company(row) for row in await connection.execute(query)]

    async def update(self, company_id: int, values: Mapping[str, Any], entry: audit.Entry) -> Company:
        """Change fields of a company; what concerns its credentials is marked for publication.

        Raises:
            CompanyNotFound: there is none with this id.
        """
        async with self._database.transaction(company_id=company_id) as connection:
            row = await _select(connection, company_id, lock=True)
            if values:
                row = await _update(connection, company_id, values, entry.time)
                await store_audit.write(connection, entry, company_id=company_id, resource_id=company_id)
            return _company(row)


async def region_of(connection: AsyncConnection, company_id: int) -> str:
    """Answer the region a company is at home in.

    Raises:
        CompanyNotFound: there is none with this id.
    """
    return str((await _select(connection, company_id)).region)


async def hold(connection: AsyncConnection, company_id: int) -> str:
    """Keep what counts a company's scanners apart until the transaction ends; answer the region it is at home in.

    Raises:
        CompanyNotFound: there is none with this id.
    """
    return str((await _select(connection, company_id, lock=True)).region)


async def served(connection: AsyncConnection, company_id: int) -> bool:
    """Tell whether a company is ACTIVE; the platform always is."""
    return company_id == PLATFORM or (await _select(connection, company_id)).status == Status.ACTIVE


async def _select(connection: AsyncConnection, company_id: int, *, lock: bool = False) -> AnyRow:
    query = sa.select(companies).where(companies.c.company_id == company_id)
    if lock:
        query = query.with_for_update(key_share=True)
    row: AnyRow | None = (await connection.execute(query)).one_or_none()
    if row is None:
        raise CompanyNotFound(company_id)
    return row


async def _update(
    connection: AsyncConnection, company_id: int, values: Mapping[str, Any], now: datetime
) -> AnyRow:
    published = bool(CREDENTIAL_FIELDS.intersection(values))
    revision = {"revision": await next_revision(connection)} if published else {}
    changed = sa.update(companies).where(companies.c.company_id == company_id).values({**values, **revision})
    row: AnyRow = (await connection.execute(changed.returning(companies))).one()
    if published:
        await mark(connection, _change(row, now))
    return row


def _change(row: AnyRow, now: datetime, *, created: bool = False) -> Change:
    return Change(
        change_id=uuid7(),
        kind=Kind.COMPANY,
        company_id=row.company_id,
        revision=row.revision,
        change_time=now,
        active=row.status == Status.ACTIVE,
        created=created,
    )


def _company(row: AnyRow) -> Company:
    return Company(
        company_id=row.company_id,
        display_name=row.display_name,
        status=Status(row.status),
        region=row.region,
        allowed_cidrs=tuple(row.allowed_cidrs),
        create_time=row.create_time,
    )
