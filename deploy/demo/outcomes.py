"""What became of accepted scans: asked of the API until it knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deploy.demo.edge import Edge, until
from deploy.demo.senders import Sent

_DEADLINE_SECONDS = 20.0
_METER = "scans"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scan as it can be looked up."""

    accept_time: str
    """Of the record, RFC 3339."""
    product: Mapping[str, Any] | None
    """What enrichment has found; None if it did not answer in time."""
    enriched_after: timedelta | None = None
    """From acceptance to enrichment."""


def look_up(operator: Edge, sent: Iterable[Sent]) -> dict[str, Outcome]:
    """Answer the outcome of each scan that was accepted and recorded, by its id.

    It waits for the slow ones, all together for 20 s.
    """
    ids = dict.fromkeys(each.scan_id for each in sent if not each.refusal)
    found: dict[str, Outcome] = {}

    def all_found() -> bool | None:
        for scan_id in ids:
            if scan_id not in found or found[scan_id].product is None:
                found.update(_look_up(operator, scan_id))
        return True if all(found.get(scan_id) and found[scan_id].product for scan_id in ids) else None

    until(all_found, seconds=_DEADLINE_SECONDS)
    return found


def _look_up(operator: Edge, scan_id: str) -> dict[str, Outcome]:
    record = operator.get_if_there(f"/v1/scans/{scan_id}")
    if record is None:
        return {}
    accept_time = record["scan"]["acceptTime"]
    answer = operator.get_if_there(f"/v1/scans/{scan_id}/enrichment")
    if answer is None:
        return {scan_id: Outcome(accept_time, None)}
    enrichment = answer["enrichment"]
    after = instant(enrichment["enrichTime"]) - instant(accept_time)
    return {scan_id: Outcome(accept_time, enrichment["product"], after)}


def used(operator: Edge, company: str) -> int:
    """Answer how many scans of the current month are in the ledger."""
    usage = operator.get(f"{company}/usage")["usage"]
    return sum(int(each["quantity"]) for each in usage if each["meter"] == _METER)


def billed(operator: Edge, company: str, before: int, expected: int) -> int:
    """Answer by how much the ledger has grown since it said `before`; it is waited for until that is `expected`."""
    grown = [0]

    def has_grown() -> bool | None:
        grown[0] = used(operator, company) - before
        return True if grown[0] >= expected else None

    until(has_grown, seconds=_DEADLINE_SECONDS)
    return grown[0]


def instant(text: str) -> datetime:
    """Read RFC 3339 as the API prints it: in UTC, with up to nine digits of a second."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")
