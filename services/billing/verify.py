"""Checks the ledger against itself, and names every difference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta

from services.billing.ledger import problems
from services.billing.periods import period_of
from services.billing.plans import Catalogue
from services.billing.store_books import Books, Kept
from services.billing.thresholds import Threshold, reached

_TOLD_WITHIN = timedelta(minutes=1)


class Verification:
    """One reading of the books, counted."""

    def __init__(self, books: Books, catalogue: Catalogue) -> None:
        self._books = books
        self._catalogue = catalogue
        self.companies = 0
        self.totals = 0
        self.entries = 0

    async def differences(self, now: datetime) -> AsyncIterator[str]:
        """Answer everything that is not as it must be, one line each."""
        async for company_id in self._books.companies():
            self.companies += 1
            async for difference in self._of_company(company_id, now):
                yield f"company {company_id}: {difference}"
        for company_id in await self._books.untold_subscriptions(now, _TOLD_WITHIN):
            yield f"company {company_id}: its subscription was changed and not told"
        for threshold in await self._books.untold_thresholds(now, _TOLD_WITHIN):
            where = f"company {threshold.company_id}: {threshold.period}"
            yield f"{where}: {threshold.percent} % were reached at {threshold.reach_time} and not told"

    async def _of_company(self, company_id: int, now: datetime) -> AsyncIterator[str]:
        for total in await self._books.sums(company_id):
            self.totals += 1
            if total.stored != total.added:
                yield f"{total.period} {total.meter}: the total is {total.stored}, the ledger's sum {total.added}"
        async for kept in self._books.entries(company_id):
            self.entries += 1
            for problem in _problems(kept):
                yield f"event {kept.entry.event_id}: {problem}"
        for threshold in await self._not_noted(company_id, now):
            yield f"{threshold.period}: {threshold.percent} % of {threshold.scan_quota} were reached and not noted"

    async def _not_noted(self, company_id: int, now: datetime) -> list[Threshold]:
        """Answer the thresholds of the current month that the plan in force has and the books have not."""
        period = period_of(now)
        month = await self._books.month(company_id, period)
        quota = self._catalogue.scan_quota(month.plan or self._catalogue.default)
        at = reached(company_id, period, month.scans, quota, now)
        return [threshold for threshold in at if threshold.percent not in month.noted]


def _problems(kept: Kept) -> Iterator[str]:
    yield from problems(kept.entry)
    if kept.period != kept.entry.period:
        yield f"is in {kept.period}, but was accepted in {kept.entry.period}"
    if kept.digest != kept.entry.digest:
        yield "is not what its digest says"
