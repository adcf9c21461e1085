"""What keys and sessions are worth, read from PostgreSQL: one statement each, so one moment of all three rows."""

from __future__ import annotations

import sqlalchemy as sa

from services.auth import companies as company
from services.auth import keys, scanners, users
from services.auth.credentials import Credential
from services.auth.keys import PresentedKey
from services.auth.tables import AnyRow, api_keys, companies, sessions
from services.auth.tables import scanners as scanner_table
from services.auth.tables import users as user_table
from services.auth.tokens import AccessToken
from services.chassis.database import Database
from services.chassis.identity import Role

_COMPANY = (
    companies.c.status.label("company_status"),
    companies.c.allowed_cidrs,
    companies.c.revision.label("company_revision"),
)


_OF_KEY = (
    sa.select(
        api_keys.c.key_id,
        api_keys.c.slow_hash,
        api_keys.c.expire_time,
        api_keys.c.revision,
        scanner_table.c.scanner_id,
        scanner_table.c.status,
        scanner_table.c.type,
        scanner_table.c.region,
        scanner_table.c.revision.label("holder_revision"),
        *_COMPANY,
    )
    .join(
        scanner_table,
        (scanner_table.c.company_id == api_keys.c.company_id)
        & (scanner_table.c.scanner_id == api_keys.c.scanner_id),
    )
    .join(companies, companies.c.company_id == api_keys.c.company_id)
    .where(api_keys.c.revoke_time.is_(None), scanner_table.c.delete_time.is_(None))
)
_OF_SESSION = (
    sa.select(
        sessions.c.session_id,
        sessions.c.expire_time,
        sessions.c.revision,
        user_table.c.user_id,
        user_table.c.role,
        user_table.c.status,
        user_table.c.revision.label("holder_revision"),
        companies.c.region,
        *_COMPANY,
    )
    .join(
        user_table,
        (user_table.c.company_id == sessions.c.company_id) & (user_table.c.user_id == sessions.c.user_id),
    )
    .outerjoin(companies, companies.c.company_id == sessions.c.company_id)
    .where(sessions.c.revoke_time.is_(None))
)


class CredentialStore:
    """Each method is one transaction."""

    def __init__(self, database: Database, *, region: str) -> None:
        self._database = database
        self._region = region

    async def ping(self) -> None:
        """Return if the database answers.

        Raises:
            Unavailable: it does not.
        """
        await self._database.ping()

    async def by_key(self, key: PresentedKey) -> Credential | None:
        """Answer what a key is worth; None if its company has no such key, or it was revoked."""
        this = (api_keys.c.company_id == key.company_id, api_keys.c.digest == key.digest)
        async with self._database.transaction(company_id=key.company_id) as connection:
            row = (await connection.execute(_OF_KEY.where(*this))).one_or_none()
        # After the transaction: no connection waits for the hash.
        if row is None or not await keys.matches(key, row.slow_hash):
            return None
        return _of_key(key.company_id, row)

    async def by_session(self, token: AccessToken) -> Credential | None:
        """Answer what a session is worth; None if there is none, or it has ended."""
        this = (sessions.c.company_id == token.company_id, sessions.c.session_id == token.session_id)
        async with self._database.transaction(company_id=token.company_id) as connection:
            row = (await connection.execute(_OF_SESSION.where(*this))).one_or_none()
        return self._of_session(token.company_id, row) if row is not None else None

    def _of_session(self, company_id: int, row: AnyRow) -> Credential:
        platform = row.company_status is None  # its admins belong to no company
        return Credential(
            company_id=company_id,
            credential_id=str(row.session_id),
            holder_id=str(row.user_id),
            role=Role(row.role),
            scanner_type="",
            region=self._region if platform else row.region,
            company_active=platform or row.company_status == company.Status.ACTIVE,
            holder_active=row.status == users.Status.ACTIVE,
            allowed_cidrs=() if platform else tuple(row.allowed_cidrs),
            expire_time=row.expire_time,
            company_revision=0 if platform else row.company_revision,
            holder_revision=row.holder_revision,
            revision=row.revision,
        )


def _of_key(company_id: int, row: AnyRow) -> Credential:
    return Credential(
        company_id=company_id,
        credential_id=str(row.key_id),
        holder_id=str(row.scanner_id),
        role=Role.SCANNER,
        scanner_type=row.type,
        region=row.region,
        company_active=row.company_status == company.Status.ACTIVE,
        holder_active=row.status == scanners.Status.ACTIVE,
        allowed_cidrs=tuple(row.allowed_cidrs),
        expire_time=row.expire_time,
        company_revision=row.company_revision,
        holder_revision=row.holder_revision,
        revision=row.revision,
    )
