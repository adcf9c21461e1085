"""One thing that is not as it must be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """Who and what it is about, and what is wrong with it."""

    company_id: int
    subject: str
    """With its id: `scan 0190…`, `cell 2026-11-26T10:00:00+00:00 barcode local`."""
    problem: str
    detail: str = ""
    """Numbers and further ids."""

    @property
    def key(self) -> tuple[int, str, str]:
        """What makes it the same difference, whatever the numbers are by now."""
        return self.company_id, self.subject, self.problem

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"company {self.company_id}: {self.subject}: {self.problem}{detail}"


def lines(differences: Iterable[Difference]) -> Iterator[str]:
    """Write differences down, of those of one company and one problem the first twenty."""
    alike: dict[tuple[int, str], list[Difference]] = defaultdict(list)
    for each in differences:
        alike[each.company_id, each.problem].append(each)
    for (company_id, problem), those in alike.items():
        yield from map(str, those[:_SHOWN])
        if len(those) > _SHOWN:
            yield f"company {company_id}: {len(those) - _SHOWN} more: {problem}"
