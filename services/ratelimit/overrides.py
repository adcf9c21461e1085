"""Overrides: the exceptions from a company's limits, as one state with a revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.ratelimit.limits import Name

WHOLE_COMPANY = UUID(int=0)
"""Stands in place of a scanner for the company itself; no scanner has this id."""


@dataclass(frozen=True, slots=True)
class Override:
    """Names an exception from one limit."""

    company_id: int
    scanner_id: UUID
    """`WHOLE_COMPANY` for the company, and so for each of its scanners that has no override of its own."""
    name: Name


@dataclass(frozen=True, slots=True)
class Overrides:
    """All overrides of a company at one moment."""

    revision: int
    """Grows with every change; 0 for a company that never had an override."""
    values: Mapping[tuple[UUID, Name], int]
    """In scans, by scanner (or `WHOLE_COMPANY`) and name."""
