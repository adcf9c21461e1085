"""The audit: wait until everything has arrived, read all books at one moment, and name what does not agree."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial

from benchmarks import tenants
from benchmarks.books import api, difference, stores
from benchmarks.books.api import Shown
from benchmarks.books.claims import Claims, held_against_shown
from benchmarks.books.difference import Difference
from benchmarks.books.look import Stored, look, unchanged
from benchmarks.mesh import Description
from benchmarks.tenants import Company, Platform


@dataclass(frozen=True, slots=True)
class Counts:
    """The same scans as each book counts them, over all companies that were looked at."""

    accepted: int | None
    """By the client's book; None without one."""
    unknown_stored: int | None
    """Stored, and the client was not told what became of them; None without its book."""
    stored: int
    rolled_up: int
    metered: int
    """By GetUsage, in the current month."""
    invoiced: int
    """By PreviewInvoice."""
    enriched: int
    dead_letters: int
    """Open ones, of the recorder and of enrichment."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit has found."""

    companies: int
    counts: Counts
    differences: tuple[str, ...]


async def audit(
    description: Description,
    *,
    companies: Collection[int] | None = None,
    claims: Claims | None = None,
    all_have_quotas: bool = False,
    exact_quota: bool = False,
) -> Report:
    """Compare the books of a running mesh.

    What is found while scans go on arriving is looked for once more, and is a difference if it is there again.

    Args:
        description: mesh.json.
        companies: whose books; None = all.
        claims: what the clients were told of all scans of these companies.
        all_have_quotas: whether each of the companies has a month's quota; else some may have none.
        exact_quota: whether nothing that the quota remembers was lost, and nobody decided in its place.

    Raises:
        NotSettled: what was accepted does not arrive, or a store does not answer.
        ApiError: the API does not answer.
    """
    stored = await look(description, companies, claims)
    found = list(stored.differences)
    if found and not stored.quiet:
        stored = await look(description, companies, claims)
        found = _in_both(found, stored.differences)
    async with tenants.platform(description) as admin:
        if exact_quota:
            found += await _undercounts(admin, stored)
        whole = claims is not None and bool(claims.sent)
        shown = {
            company_id: await api.read(Company(admin, company_id), sums.stored, whole=whole)
            for company_id, sums in stored.sums.items()
        }
        found += await _api_differences(description, shown, stored)
        found += _unlike_sent(claims, shown)
        # The watermark takes half a minute to pass, and a ledger that is wrong says nothing of a quota.
        if not found:
            found += await _quotas(description, admin, stored, expected=all_have_quotas)
    counts = _counts(stored, shown.values(), claims)
    return Report(len(stored.sums), counts, tuple(difference.lines(found)))


def _in_both(first: Iterable[Difference], again: Iterable[Difference]) -> list[Difference]:
    """Answer what was found again; numbers may have grown meanwhile."""
    known = {each.key for each in first}
    return [each for each in again if each.key in known]


async def _undercounts(admin: Platform, stored: Stored) -> list[Difference]:
    checked = [
        await api.undercount(Company(admin, company_id), sums.metered)
        for company_id, sums in stored.sums.items()
    ]
    return [each for each in checked if each]


async def _api_differences(
    description: Description, shown: dict[int, Shown], stored: Stored
) -> list[Difference]:
    """Hold what the API said against the stores before and after."""
    async with stores.snapshot(description, None) as books:
        return [
            each
            for company_id, said in shown.items()
            for each in api.held_against(
                company_id, said, stored.sums[company_id], await books.sums(company_id)
            )
        ]


def _unlike_sent(claims: Claims | None, shown: dict[int, Shown]) -> list[Difference]:
    if claims is None:
        return []
    return [
        each
        for company_id, said in shown.items()
        for each in held_against_shown(claims, company_id, said.listed or ())
    ]


async def _quotas(
    description: Description, admin: Platform, stored: Stored, *, expected: bool
) -> list[Difference]:
    """Hold the quotas against the ledger, once the watermark has passed."""
    until = asyncio.get_running_loop().time() + api.WATERMARK_SECONDS
    checked = [
        await api.quota(
            Company(admin, company_id), partial(_metered, description, company_id), until, expected=expected
        )
        for company_id in stored.sums
    ]
    found = [each for each in checked if each]
    # What was accepted before counts as used until it turns out a duplicate: of a company that goes on sending them,
    # never less than its ledger is all that must hold.
    if found and not await unchanged(description, stored):
        return await _undercounts(admin, stored)
    return found


async def _metered(description: Description, company_id: int) -> int:
    async with stores.snapshot(description, [company_id]) as books:
        return await books.metered(company_id)


def _counts(stored: Stored, shown: Iterable[Shown], claims: Claims | None) -> Counts:
    sums, said = list(stored.sums.values()), list(shown)
    return Counts(
        accepted=None if claims is None else len(claims.accepted),
        unknown_stored=None if claims is None else len(claims.unknown & stored.keys),
        stored=sum(each.stored for each in sums),
        rolled_up=sum(each.recorded for each in sums),
        metered=sum(each.metered for each in said),
        invoiced=sum(each.invoiced for each in said),
        enriched=sum(each.results for each in sums),
        dead_letters=sum(each.letters for each in sums),
    )
