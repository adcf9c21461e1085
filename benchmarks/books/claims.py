"""The client's book: what devices were told of the scans they sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Self

from benchmarks.books.difference import Difference
from benchmarks.scan import Scan

_UNHEARD_FEW, _UNHEARD_SHARE = 10, 0.05
"""Scans of a company whose plan neither `auth` nor `ingest` may have known, for a second or two after their start."""
Key = tuple[int, str]
"""Company and scan id, in lower case."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one attempt carried of a scan, and what follows from the key and the call: all of it is kept as it was."""

    scanner_id: str
    lane: str
    scan: Scan

    def unheard(self) -> Self:
        """Answer how it goes through services that started while the bus was away, and have not heard of the plan."""
        return replace(self, lane="standard") if self.lane == "premium" else self


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
    sent: Mapping[Key, AbstractSet[Sent]] = field(default_factory=dict)
    """What the attempts carried of which one may have been stored, where the client says it."""


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


def held_against_shown(
    claims: Claims, company_id: int, shown: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Compare what a company is shown of its scans with what its devices have sent."""
    unheard = 0
    for each in shown:
        stored = Sent(each["scannerId"], each["lane"], Scan.of_json(each))
        sent = claims.sent.get((company_id, stored.scan.scan_id), {stored})
        if stored in sent:
            continue
        if stored in {attempt.unheard() for attempt in sent}:
            unheard += 1
            continue
        detail = f"sent {' or '.join(sorted(map(str, sent)))}; shown {stored}"
        yield Difference(company_id, f"scan {stored.scan.scan_id}", "is not what was sent", detail)
    if unheard > _UNHEARD_FEW + _UNHEARD_SHARE * len(shown):
        yield Difference(company_id, "premium scans", "went as standard ones", f"{unheard} of {len(shown)}")
