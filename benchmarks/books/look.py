"""One look at a mesh: wait until everything has arrived, then read the stores at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.books import claims as client_book
from benchmarks.books import settling, stores
from benchmarks.books.claims import Claims, Key
from benchmarks.books.difference import Difference
from benchmarks.books.settling import EVERYTHING, NotSettled, Queue
from benchmarks.books.stores import Sums
from benchmarks.mesh import Description


@dataclass(frozen=True, slots=True)
class Stored:
    """What one snapshot held."""

    quiet: bool
    """Whether nothing was on its way."""
    queues: tuple[Queue, ...]
    """As they were just then."""
    sums: dict[int, Sums]
    keys: frozenset[Key]
    """The scans on record; read only to be held against a client's book."""
    differences: Sequence[Difference]


async def look(description: Description, companies: Collection[int] | None, claims: Claims | None) -> Stored:
    """Look once, at the books of some companies or, for None, of all.

    A client's book is complete when nobody sends any more. So with one, nothing may be on its way at that moment:
    else what had been accepted last would not be looked at.

    Raises:
        NotSettled: what was accepted does not arrive, or a store does not answer.
    """
    loop, until = asyncio.get_running_loop(), None
    async with settling.queues(description) as queues:
        while True:
            cut = await queues.settle()
            until = until or loop.time() + settling.PATIENCE_SECONDS
            before = await queues.look()
            async with stores.snapshot(description, companies) as books:
                after = await queues.look()
                quiet = settling.quiet(before, after)
                if quiet or claims is None:
                    differences = await books.differences(EVERYTHING if quiet else cut)
                    keys, unclaimed = await _held_against(claims, books)
                    sums = {
                        company_id: await books.sums(company_id) for company_id in await books.companies()
                    }
                    return Stored(quiet, after, sums, keys, [*differences, *unclaimed])
            if loop.time() > until:
                raise NotSettled(f"work has gone on arriving for {settling.PATIENCE_SECONDS:.0f} s")


async def _held_against(
    claims: Claims | None, books: stores.Snapshot
) -> tuple[frozenset[Key], Sequence[Difference]]:
    if claims is None:
        return frozenset(), ()
    keys = await books.stored()
    return keys, list(client_book.held_against(claims, keys, await books.dead()))


async def unchanged(description: Description, stored: Stored) -> bool:
    """Tell whether nothing has been accepted since a look: no message has come into any queue.

    Raises:
        NotSettled: the bus does not answer.
    """
    async with settling.queues(description) as queues:
        return settling.quiet(stored.queues, await queues.look())
