"""What the demo shows, from answers as the API gives them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deploy.demo import report
from deploy.demo.outcomes import Outcome, instant
from deploy.demo.products import MISREAD, PRODUCTS, Item
from deploy.demo.senders import Sent

ACCEPTED, LATER = "2026-11-25T10:00:00.123456Z", "2026-11-25T10:00:01Z"
NUTELLA = {
    "gtin": "03017620422003",
    "format": "gtin_13",
    "gs1PrefixCountry": "FR",
    "gs1PrefixRange": "",
}


def check_digit_fits(digits: str) -> bool:
    weights = (3 if place % 2 == 0 else 1 for place in range(14))
    return sum(int(digit) * weight for digit, weight in zip(digits.zfill(14), weights, strict=True)) % 10 == 0


def expanded(item: Item) -> str:
    """The digits of an item; those of UPC-E as UPC-A (here: the one whose last digit before the check digit is 0)."""
    data = item.data
    return f"{data[:3]}00000{data[3:6]}{data[7]}" if item.format == "upc_e" and data[6] == "0" else data


def test_two_dozen_products_have_numbers_that_can_be_real() -> None:
    assert len({item.data for item in PRODUCTS}) == 24
    assert [item.name for item in PRODUCTS if not check_digit_fits(expanded(item))] == []
    assert not check_digit_fits(MISREAD.data)


def row(sent: Sent, outcomes: dict[str, Outcome], *before: Sent, all_billed: bool = True) -> list[str]:
    """The cells of the last line, from the one after `sent by` on."""
    table = report.table([*before, sent], outcomes, all_billed=all_billed)
    return [cell.strip() for cell in table.splitlines()[-1].split("  ") if cell.strip()][2:]


def sent(refusal: str = "", accept_time: str = ACCEPTED) -> Sent:
    return Sent(PRODUCTS[0], "JSON", "id", accept_time, refusal)


def test_scan_is_followed_to_the_bill() -> None:
    outcomes = {"id": Outcome(ACCEPTED, NUTELLA, timedelta(seconds=0.25))}
    shown = ["yes", "yes", "250 ms", "03017620422003 GTIN-13", "FR"]
    assert row(sent(), outcomes) == [*shown, "yes"]
    assert row(sent(), outcomes, all_billed=False) == [*shown, "?"]


def test_nothing_is_claimed_that_was_not_seen() -> None:
    assert row(sent(), {}) == ["yes", "not yet"]
    assert row(sent(), {"id": Outcome(ACCEPTED, None)})[:3] == ["yes", "yes", "not yet"]
    assert row(sent(accept_time=LATER), {}, sent())[1] == "not yet"


def test_repeat_and_refusal_are_told_in_words() -> None:
    outcomes = {"id": Outcome(ACCEPTED, NUTELLA, timedelta(seconds=0.25))}
    assert row(sent(accept_time=LATER), outcomes, sent())[1] == "once, as the first"
    assert row(sent("barcode.data is required"), {}) == ["refused: barcode.data is required"]


@pytest.mark.parametrize(
    ("units", "nanos", "shown"),
    [("499", 0, "499.00 USD"), ("0", 500_000_000, "0.50 USD"), ("0", -1_000_000, "-0.001 USD")],
)
def test_money_is_shown_exactly(units: str, nanos: int, shown: str) -> None:
    assert report.money({"currencyCode": "USD", "units": units, "nanos": nanos}) == shown


@pytest.mark.parametrize(
    "text", ["2026-11-25T10:00:00Z", "2026-11-25T10:00:00.1Z", "2026-11-25T10:00:00.123456789Z"]
)
def test_times_are_read_with_any_number_of_digits(text: str) -> None:
    assert instant(text).isoformat().startswith("2026-11-25T10:00:00")


def test_quota_that_is_gone_without_use_is_explained() -> None:
    def shown(remaining: str) -> str:
        usage = {"period": "2026-11", "usage": [{"meter": "scans", "quantity": "25", "included": "100"}]}
        invoice = {"lines": [], "total": {"currencyCode": "USD", "units": "0", "nanos": 0}}
        limit = {"name": "company.month", "limit": "100", "remaining": remaining, "source": "plan"}
        return report.amounts(usage, invoice, [limit])

    assert "(1 more than used" in shown("74")
    assert "more than used" not in shown("75")
