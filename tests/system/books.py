"""The books of a company: what was accepted is stored, counted, enriched and billed, all of it and once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.books.audit import audit
from tests.system.actors import Company
from tests.system.inspector import Description, rows, settle

_PAGE = 1_000


@dataclass(frozen=True)
class Books:
    """The same scans as each part counts them. All but two numbers are what the API says."""

    stored: int
    recorded: int
    enriched: int
    failed: int
    results: int
    """Rows of enrichment: its API answers for single scans only."""
    ledgered: int
    """The ledger's rows added up: the API shows its running totals."""
    metered: int
    invoiced: int

    @classmethod
    def of(cls, description: Description, company: Company) -> Books:
        """Read every book of a company."""
        counts = statistics(company)
        return cls(
            stored=sum(1 for _ in listed(company)),
            recorded=counts["recorded"],
            enriched=counts["enriched"],
            failed=counts["failed"],
            results=_count(description, "count(*) FROM enrichment.results WHERE state = 'ok' AND", company),
            ledgered=_count(description, "coalesce(sum(quantity), 0) FROM billing.ledger WHERE", company),
            metered=company.usage(),
            invoiced=company.invoiced(),
        )


def assert_balanced(description: Description, company: Company, accepted: Collection[str]) -> None:
    """Wait until nothing is on its way, then want each accepted scan in each book, once, and nothing else."""
    settle(description)
    assert sorted(scan["scanId"] for scan in listed(company)) == sorted(accepted)
    number = len(accepted)
    assert Books.of(description, company) == Books(number, number, number, 0, number, number, number, number)


def assert_agreed(description: Description, company: Company) -> None:
    """Want `make verify` to find nothing wrong with a company's books, whatever became of its scans."""
    assert asyncio.run(audit(description, companies=[company.id])).differences == ()


def listed(company: Company, **filters: str) -> Iterator[dict[str, Any]]:
    """Answer all scans of a company, page by page."""
    token = ""
    while True:
        query = {"pageSize": _PAGE, "pageToken": token, **filters}
        page = company.reader.insist("GET", "/v1/scans", params=query)
        yield from page.body["scans"]
        token = page.body["nextPageToken"]
        if not token:
            return


def statistics(company: Company, **filters: str) -> dict[str, int]:
    """Answer how many scans were recorded, enriched and failed in all the time in which one may have been scanned."""
    now = datetime.now(UTC)
    span = {"startTime": _iso(now - timedelta(days=40)), "endTime": _iso(now + timedelta(days=3))}
    answer = company.reader.insist("GET", "/v1/stats", params={"bucket": "day", **span, **filters})
    names = ("recorded", "enriched", "failed")
    return {name: sum(int(bucket[name]) for bucket in answer.body["buckets"]) for name in names}


def _count(description: Description, what: str, company: Company) -> int:
    [row] = rows(description, f"SELECT {what} company_id = $1", company.id)
    return int(row[0])


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
