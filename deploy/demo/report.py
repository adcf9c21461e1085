"""The demo on a terminal: one line a scan, then what it amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deploy.demo.outcomes import Outcome
from deploy.demo.senders import Sent

_HEADER = ("scan", "sent by", "accepted", "recorded", "enriched", "product", "country", "billed")
_NANOS = 1_000_000_000


def table(sent: Sequence[Sent], outcomes: Mapping[str, Outcome], *, all_billed: bool) -> str:
    """Answer what became of each scan."""
    rows = [_HEADER, *_rows(sent, outcomes, all_billed=all_billed)]
    widths = [max(len(row[column]) for row in rows if column < len(row) - 1) for column in range(7)]
    return "\n".join(_line(row, [*widths, 0]) for row in rows)


def _rows(
    sent: Sequence[Sent], outcomes: Mapping[str, Outcome], *, all_billed: bool
) -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for each in sent:
        if each.refusal:
            yield (each.item.name, each.how, f"refused: {each.refusal}")
        elif each.scan_id in seen:
            yield (f"{each.item.name}, again", each.how, "yes", *_repeated(each, outcomes.get(each.scan_id)))
        else:
            known = outcomes.get(each.scan_id)
            yield (each.item.name, each.how, "yes", *_became(known, "yes" if all_billed else "?"))
        seen.add(each.scan_id)


def _became(outcome: Outcome | None, billed: str) -> tuple[str, ...]:
    if outcome is None:
        return ("not yet",)
    if outcome.product is None or outcome.enriched_after is None:
        return ("yes", "not yet", "", "", billed)
    after = f"{outcome.enriched_after.total_seconds() * 1000:.0f} ms"
    return ("yes", after, *_product(outcome.product), billed)


def _repeated(sent: Sent, outcome: Outcome | None) -> tuple[str, ...]:
    """Tell that a repeat changed nothing, by the record: it has the accept time of the first."""
    kept = outcome is not None and outcome.accept_time != sent.accept_time
    return ("once, as the first",) if kept else ("not yet",)


def _product(product: Mapping[str, Any]) -> tuple[str, str]:
    form = product["format"].replace("gtin_", "GTIN-").replace("upc_e", "UPC-E")
    country = product["gs1PrefixCountry"] or product["gs1PrefixRange"]
    if product["gtin"]:
        return f"{product['gtin']} {form}", country
    return ("wrong check digit" if form else "no product number"), country


def amounts(usage: Mapping[str, Any], invoice: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]) -> str:
    """Answer what the scans amount to: the ledger, the invoice so far, and what is left of the limits."""
    lines = [
        f"Used in {usage['period']}",
        *(_line((each["meter"], _used(each)), (20, 0)) for each in usage["usage"]),
        "The invoice so far",
        *(_line(_invoice_line(each), (20, 24, 0)) for each in invoice["lines"]),
        _line(("total", "", money(invoice["total"])), (20, 24, 0)),
        "Left of the demo gun's limits",
        *(_line((each["name"], _left(each)), (20, 0)) for each in limits),
        *_pending(usage["usage"], limits),
    ]
    return "\n".join(lines)


def _pending(usage: Iterable[Mapping[str, Any]], limits: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Say why more of the month's quota is gone than was used, if so."""
    used = sum(int(each["quantity"]) for each in usage if each["meter"] == "scans")
    for each in limits:
        more = int(each["limit"]) - int(each["remaining"]) - used
        if each["name"] == "company.month" and more > 0:
            yield f"  ({more} more than used: what was sent again counts until the ledger has caught up)"


def _used(usage: Mapping[str, Any]) -> str:
    included = usage.get("included")
    return f"{usage['quantity']} of {included} included" if included else f"{usage['quantity']}, no limit"


def _invoice_line(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return line["meter"], f"{line['quantity']} at {money(line['unitPrice'])}", money(line["amount"])


def _left(limit: Mapping[str, Any]) -> str:
    return f"{limit['remaining']} of {limit['limit']}, by {limit['source'].replace('_', ' ')}"


def money(amount: Mapping[str, Any]) -> str:
    """Answer an amount with its cents; smaller parts are shown where there are any."""
    units, nanos = int(amount["units"]), amount["nanos"]
    sign = "-" if units < 0 or nanos < 0 else ""
    fraction = f"{abs(nanos) / _NANOS:.9f}"[2:].rstrip("0").ljust(2, "0")
    return f"{sign}{abs(units)}.{fraction} {amount['currencyCode']}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False))
    return ("  " + "  ".join(padded)).rstrip()
