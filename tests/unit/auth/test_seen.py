from __future__ import annotations

from dataclasses import replace

from services.auth.seen import Seen
from services.auth.store_seen import SeenStore
from services.chassis.errors import Unavailable


class FrozenDatabase:
    """Counts who waits for it, in vain."""

    def __init__(self):
        self.waits = 0

    def transaction(self, *, company_id):
        self.waits += 1
        raise Unavailable("the database is not available")


async def test_a_frozen_database_is_waited_for_once_and_not_by_each_company(credential, clock):
    seen, frozen = Seen(), FrozenDatabase()
    for company_id in range(1, 100):
        seen.note(replace(credential, company_id=company_id), clock())
    await SeenStore(frozen).flush(seen)
    assert frozen.waits == 1
