"""What the API says of a company, held against the stores: the numbers that a customer sees.

On a mesh that goes on accepting a number grows while it is asked for: it must lie between two looks at the stores.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.books.difference import Difference
from benchmarks.books.stores import Sums
from benchmarks.tenants import Company

_QUOTA = "company.month"
WATERMARK_SECONDS = 45.0
"""It is at most some 25 s behind on a mesh where nothing is on its way."""
_PAUSE_SECONDS = 0.5
_MOST_LISTED = 20_000
"""Of a company with more scans many pages would be read; the stores are compared all the same."""

Look = Callable[[], Awaitable[int]]
"""Answers how many scans of the month are in the ledger now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the API says of a company's scans."""

    recorded: int
    """By GetScanStats, as enriched and failed are."""
    enriched: int
    failed: int
    metered: int
    """By GetUsage, of the current month."""
    invoiced: int
    """By PreviewInvoice."""
    listed: Sequence[Mapping[str, Any]] | None
    """The scans themselves, by the pages of ListScans; None if there are too many."""


async def read(company: Company, stored: int, *, whole: bool) -> Shown:
    """Ask the API about a company that has some `stored` scans; list them if they are few, or the `whole` is wanted."""
    counts = await company.statistics()
    metered, invoiced = await company.usage(), await company.invoiced()
    listed = await company.listed() if whole or stored <= _MOST_LISTED else None
    return Shown(**counts, metered=metered, invoiced=invoiced, listed=listed)


def held_against(company_id: int, shown: Shown, before: Sums, after: Sums) -> Iterator[Difference]:
    """Compare what the API said with what the stores held before and after it was asked."""
    compared = {
        "GetScanStats, recorded": (before.recorded, shown.recorded, after.recorded),
        "GetScanStats, enriched": (before.enriched, shown.enriched, after.enriched),
        "GetScanStats, failed": (before.failed, shown.failed, after.failed),
        "GetUsage, scans": (before.metered, shown.metered, after.metered),
        "PreviewInvoice, scans": (before.metered, shown.invoiced, after.metered),
        "ListScans": (before.stored, None if shown.listed is None else len(shown.listed), after.stored),
    }
    for what, (low, number, high) in compared.items():
        if number is not None and not min(low, high) <= number <= max(low, high):
            yield Difference(company_id, what, "is not what the stores hold", f"{number}, they hold {high}")


async def quota(company: Company, look: Look, until: float, *, expected: bool) -> Difference | None:
    """Compare what the quota takes for used with the ledger, when the watermark has passed all that was accepted.

    Args:
        company: whose quota.
        look: reads the ledger.
        until: when the watermark has passed for certain, by the loop's clock.
        expected: whether the company has a quota; else it may have none.
    """
    while True:
        before = await look()
        limit = (await company.limits()).get(_QUOTA)
        if limit is None:
            return Difference(company.id, _QUOTA, "is not shown") if expected else None
        if _agrees(limit, before, await look()):
            return None
        if asyncio.get_running_loop().time() > until:
            detail = f"{_used(limit)} are used, {before} are in the ledger"
            return Difference(company.id, _QUOTA, "is not what the ledger says", detail)
        await asyncio.sleep(_PAUSE_SECONDS)


async def undercount(company: Company, metered: int) -> Difference | None:
    """Want the quota to know of all that is in the ledger even before the watermark has passed it.

    That holds as long as nothing that it remembers was lost, and nobody decided in its place.
    """
    limit = (await company.limits()).get(_QUOTA)
    if limit is None or _used(limit) >= metered or not int(limit["remaining"]):
        return None
    detail = f"{_used(limit)} are used, {metered} are in the ledger"
    return Difference(company.id, _QUOTA, "knows of less than is in the ledger", detail)


def _agrees(limit: dict[str, Any], low: int, high: int) -> bool:
    """Tell whether a quota agrees with a ledger that grew from `low` to `high`; at its end it does not count on."""
    if not int(limit["remaining"]):
        return high >= int(limit["limit"])
    return low <= _used(limit) and (_used(limit) <= high or low < high)


def _used(limit: dict[str, Any]) -> int:
    return int(limit["limit"]) - int(limit["remaining"])
