"""The ledger in PostgreSQL: each event once, its totals and thresholds in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing import store_threshold
from services.billing.ledger import Account, Entry, summed
from services.billing.plans import Catalogue
from services.billing.store_subscription import plans_of
from services.billing.tables import ledger, totals
from services.billing.thresholds import Threshold, reached
from services.chassis.database import Database
from services.chassis.subjects import Meter

Key = tuple[int, UUID]
"""Company and event."""

_KEYS_AT_ONCE = 1_000
_STORED = [column.name for column in ledger.columns if column is not ledger.c.record_time]
_append = insert(ledger).on_conflict_do_nothing().returning(ledger.c.company_id, ledger.c.event_id)
_new_total = insert(totals)
_add = _new_total.on_conflict_do_update(
    index_elements=list(totals.primary_key.columns),
    set_={"quantity": totals.c.quantity + _new_total.excluded.quantity},
).returning(totals)


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of entries."""

    new: int
    """How many were not in the ledger before."""
    contradicting: tuple[Key, ...]
    """Those whose event the ledger holds with other content, which stays."""
    reached: bool
    """Whether a company has reached a share of its quota by them."""


class LedgerStore:
    """Writes the ledger for all companies at once, as the worker."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    async def append(self, entries: Iterable[Entry], now: datetime) -> Appended:
        """Take entries in, each event once however often it comes, all in one transaction.

        Raises:
            Unavailable: the database is away; what is stored is not known, and doing it again is safe.
        """
        # In this order two processes with the same events wait for each other, never both at once.
        offered = sorted(entries, key=_key)
        first: dict[Key, Entry] = {}
        for entry in offered:
            first.setdefault(_key(entry), entry)
        async with self._database.transaction() as connection:
            new = await _insert(connection, first.values(), now)
            known = await _digests(connection, [key for key in first if key not in new])
            quantities = await _add_up(connection, [first[key] for key in new])
            at = await self._thresholds(connection, quantities, now)
            noted = await store_threshold.note(connection, at)
        kept = {key: known.get(key, entry.digest) for key, entry in first.items()}
        contradicting = tuple(_key(entry) for entry in offered if entry.digest != kept[_key(entry)])
        return Appended(len(new), contradicting, noted)

    async def _thresholds(
        self, connection: AsyncConnection, quantities: Mapping[Account, int], now: datetime
    ) -> Sequence[Threshold]:
        """Answer the thresholds at or below these totals, which this transaction holds locked."""
        scans = [(*key[:2], total) for key, total in quantities.items() if key[2] == Meter.SCANS]
        subscribed = await plans_of(connection, sorted({company_id for company_id, _, _ in scans}))
        at: list[Threshold] = []
        for company_id, period, total in scans:
            quota = self._catalogue.scan_quota(subscribed.get(company_id, self._catalogue.default))
            at += reached(company_id, period, total, quota, now)
        return at


def _key(entry: Entry) -> Key:
    return entry.company_id, entry.event_id


async def _insert(connection: AsyncConnection, entries: Iterable[Entry], now: datetime) -> set[Key]:
    """Insert entries and answer which of them were not there."""
    rows = [_row(entry, now) for entry in entries]
    return (
        {(row.company_id, row.event_id) for row in await connection.execute(_append, rows)} if rows else set()
    )


def _row(entry: Entry, now: datetime) -> dict[str, object]:
    return {**{name: getattr(entry, name) for name in _STORED}, "record_time": now}


async def _digests(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, bytes]:
    """Answer the digests of entries that are there: by a statement of its own, whose snapshot is younger than the
    commits that the inserting one has waited for.
    """
    found: dict[Key, bytes] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        query = sa.select(ledger.c.company_id, ledger.c.event_id, ledger.c.digest).where(
            sa.tuple_(ledger.c.company_id, ledger.c.event_id).in_(some)
        )
        found |= {(row.company_id, row.event_id): row.digest for row in await connection.execute(query)}
    return found


async def _add_up(connection: AsyncConnection, new: Sequence[Entry]) -> dict[Account, int]:
    """Add new entries to the totals of their accounts and answer these."""
    rows = [
        {"company_id": company_id, "period": period, "meter": meter, "quantity": quantity}
        for (company_id, period, meter), quantity in summed(new)
    ]
    if not rows:
        return {}
    added = await connection.execute(_add, rows)
    return {(row.company_id, row.period, row.meter): row.quantity for row in added}
