"""Limits: their names, and what they are where nobody has set an override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.chassis.errors import NotFound
from services.chassis.plans import OverQuota, Plan

MAX_VALUE = 10**12
"""The greatest limit that can be set: far beyond any use, far below where counting in doubles gets coarse."""


class Name(StrEnum):
    """The limits there are, ordered by name."""

    COMPANY_DAY = "company.day"
    COMPANY_MINUTE = "company.minute"
    COMPANY_MONTH = "company.month"
    SCANNER_HOUR = "scanner.hour"
    SCANNER_MINUTE = "scanner.minute"

    @property
    def of_company(self) -> bool:
        """Whether all scanners of a company share it."""
        return self.startswith("company.")


class Source(StrEnum):
    """Who set a limit, weakest first."""

    PLAN = "plan"
    SCANNER_TYPE = "scanner_type"
    COMPANY = "company"
    SCANNER = "scanner"


class Enforcement(StrEnum):
    """What the month's quota does to scans beyond it; an override refuses under any plan that has not ended."""

    REFUSE = "refuse"
    COUNT = "count"
    END = "end"
    """The subscription has ended: everything is refused, whatever an override says."""


@dataclass(frozen=True, slots=True)
class Default:
    """A limit that nobody has overridden."""

    value: int | None
    """In scans; None: there is no such limit."""
    source: Source = Source.PLAN


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a scanner and its company are held to without overrides."""

    by_name: Mapping[Name, Default]
    enforcement: Enforcement


class OverrideNotFound(NotFound):
    """There is no such override to take back."""

    def __init__(self, name: Name) -> None:
        super().__init__(f"there is no override of {name} here")


# CONTRACT section 5.
BY_SCANNER_TYPE: Mapping[str, int] = {"handheld": 50, "vehicle": 50, "agent": 100, "dock": 200, "fixed": 500}
_SCANNER_MINUTE = 100
_COMPANY_MINUTE = 10_000


def defaults(plan: Plan, scanner_type: str) -> Defaults:
    """Answer the defaults under a plan.

    Args:
        plan: the company's.
        scanner_type: lower_snake; empty where there is no scanner, or its type is not known.
    """
    by_name = {
        Name.COMPANY_DAY: Default(None),
        Name.COMPANY_MINUTE: Default(_COMPANY_MINUTE),
        Name.COMPANY_MONTH: Default(0 if plan.ended else plan.scan_quota),
        Name.SCANNER_HOUR: Default(None),
        Name.SCANNER_MINUTE: _scanner_minute(scanner_type),
    }
    return Defaults(by_name, _enforcement(plan))


def _scanner_minute(scanner_type: str) -> Default:
    by_type = BY_SCANNER_TYPE.get(scanner_type)
    return Default(_SCANNER_MINUTE) if by_type is None else Default(by_type, Source.SCANNER_TYPE)


def _enforcement(plan: Plan) -> Enforcement:
    if plan.ended:
        return Enforcement.END
    return Enforcement.REFUSE if plan.over_quota is OverQuota.REFUSE else Enforcement.COUNT
