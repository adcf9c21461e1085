"""A wrong way to keep the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime

from services.billing.ledger import Entry
from services.billing.store_ledger import Appended, LedgerStore


async def ledger_forgets_ids(
    append: Callable[[LedgerStore, Iterable[Entry], datetime], Awaitable[Appended]],
    store: LedgerStore,
    entries: Iterable[Entry],
    now: datetime,
) -> Appended:
    """Append every entry that comes, one that was appended before as well."""
    return await append(store, [replace(entry, event_id=uuid.uuid4()) for entry in entries], now)
