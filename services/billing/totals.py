"""Totals: how much of a company's month is in the ledger for certain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Total:
    """The scans of a company's month that were accepted before the watermark."""

    company_id: int
    period: str
    quantity: int
    watermark_time: datetime
    as_of_time: datetime
    """When this was computed."""
