"""The ledger: one entry for each usage event, for ever.

An entry is known by its event's id. The same id with other content cannot come from a correct deriver: the first one
stays, and somebody is woken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.billing.periods import cell_of, period_of
from services.chassis.derived import derived_id

MAX_QUANTITY = 2**31 - 1
"""Of one event: far more than the scans of one message, and no sum of a month comes near the limit of a bigint."""

Account = tuple[int, str, str]
"""Company, period and meter: what quantities are summed up by."""


class UsageUnreadable(ValueError):
    """A message of USAGE is not what it should be; what is wrong with it is the error's text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    company_id: int
    event_id: UUID
    meter: str
    quantity: int
    cell_time: datetime
    """The start of the cell in which the scans were accepted: it decides the period."""
    kind: str
    region: str
    lane: str
    scanners: Mapping[str, int]
    """Quantity by scanner."""

    @property
    def period(self) -> str:
        """The month that it is billed in."""
        return period_of(self.cell_time)

    @property
    def account(self) -> Account:
        """What its quantity is added to."""
        return self.company_id, self.period, self.meter

    @property
    def digest(self) -> bytes:
        """Tells the content of the entry from any other."""
        scanners = (part for scanner in sorted(self.scanners.items()) for part in scanner)
        names = (self.meter, self.kind, self.region, self.lane)
        cell = int(self.cell_time.timestamp())
        return derived_id("ENTRY", self.company_id, self.quantity, cell, *names, *scanners).bytes


def problems(entry: Entry) -> Iterator[str]:
    """Answer everything that is wrong with an entry: what the store would refuse, or the bill suffer from."""
    if entry.company_id < 1:
        yield "company_id must be at least 1"
    if not 1 <= entry.quantity <= MAX_QUANTITY:
        yield f"quantity must be 1 to {MAX_QUANTITY}"
    if entry.cell_time != cell_of(entry.cell_time):
        yield "cell_time must be the start of a cell of 10 s"
    if min(entry.scanners.values(), default=1) < 1 or sum(entry.scanners.values()) != entry.quantity:
        yield "scanners must have quantities of at least 1 that sum up to quantity"
    for name in ("meter", "kind", "region", "lane"):
        if not getattr(entry, name) or "\0" in getattr(entry, name):
            yield f"{name} must be a name"


def summed(entries: Iterable[Entry]) -> list[tuple[Account, int]]:
    """Answer the quantity by account, in the order in which accounts are locked."""
    sums: Counter[Account] = Counter()
    for entry in entries:
        sums[entry.account] += entry.quantity
    return sorted(sums.items())
