"""The demo of `make run`: what it prints is what became of its scans."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.__main__ import show
from deploy.demo.products import PRODUCTS


def test_every_product_is_followed_to_the_invoice(
    description: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    show(description)
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for product in PRODUCTS:
        line = next(line for line in lines if line.startswith(f"{product.name} "))
        assert "not yet" not in line
        assert line.endswith(" yes"), "billed"
    assert any("misread JSON yes yes" in line and "wrong check digit" in line for line in lines)
    assert f"{PRODUCTS[0].name}, again JSON yes once, as the first" in lines
    assert "an empty label JSON batch refused: barcode.data is required" in lines
    assert "plan 1 at 499.00 USD 499.00 USD" in lines
    assert any(line.startswith("scanner.minute ") and line.endswith("by scanner type") for line in lines)


def test_it_can_be_shown_again(description: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    show(description)
    show(description)
    assert "The ledger has grown" not in capsys.readouterr().out
