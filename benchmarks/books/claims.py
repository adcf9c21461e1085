"""The client's book: what devices were told of the scans they sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from benchmarks.books.difference import Difference

Key = tuple[int, str]
"""Company and scan id, in lower case."""


@dataclass(frozen=True)
class Claims:
    """Every scan that was sent is in one of the three."""

    accepted: AbstractSet[Key]
    """In any attempt."""
    unknown: AbstractSet[Key]
    """In some attempt nobody said what became of it, and in none was it accepted."""
    refused: AbstractSet[Key]
    """In every attempt, for good or for the time being."""
    contents: Mapping[Key, int] = field(default_factory=dict)
    """With how many contents an id was accepted, where it was with more than one: one is stored, each other one dies."""


def held_against(claims: Claims, stored: AbstractSet[Key], dead: Mapping[Key, int]) -> Iterator[Difference]:
    """Compare what devices were told with what is stored.

    Args:
        claims: what they were told.
        stored: the scans on record.
        dead: how many dead letters the recorder has written of a scan.
    """
    wrong = {
        "accepted, and neither stored nor in a dead letter": claims.accepted - stored - dead.keys(),
        "refused in every attempt, and stored": stored & claims.refused,
        "stored, and nobody has sent it": stored - claims.accepted - claims.unknown - claims.refused,
    }
    for what, keys in wrong.items():
        yield from (Difference(company_id, f"scan {scan_id}", what) for company_id, scan_id in sorted(keys))
    for (company_id, scan_id), contents in sorted(claims.contents.items()):
        letters = dead.get((company_id, scan_id), 0)
        if letters < contents - 1:
            detail = f"{contents} contents, {letters} dead letters"
            yield Difference(
                company_id, f"scan {scan_id}", "accepted with more contents than are accounted for", detail
            )
