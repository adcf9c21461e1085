"""The companies whose scans a run sends: on every plan, within their limits and beyond them, and two that share ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from benchmarks.tenants import UNREACHED, Device, Platform

_SCANNERS = 2
_FEW_A_MINUTE = 300
"""Fewer than are sent: from the first half minute on its devices are told to wait."""
_SMALL_QUOTA = 500
_COMPANIES = (
    ("professional", {"company_month": UNREACHED}),
    ("professional", {"company_month": UNREACHED}),
    ("starter", {"company_month": UNREACHED}),
    ("enterprise", {"company_month": UNREACHED}),
    ("professional", {"company_month": UNREACHED, "scanner_minute": _FEW_A_MINUTE}),
    ("starter", {"company_month": _SMALL_QUOTA}),
    ("professional", {"company_month": UNREACHED}),
)
"""Plan and limits of each; an override of the month's quota shows what is used of it, on whichever plan."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The scanners of one company."""

    company_id: int
    lane: str
    """Of scans that are not sent as bulk, by the company's plan."""
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All who send."""

    tenants: tuple[Tenant, ...]

    @property
    def company_ids(self) -> frozenset[int]:
        """The companies."""
        return frozenset(tenant.company_id for tenant in self.tenants)

    @property
    def twins(self) -> tuple[Tenant, Tenant]:
        """Two companies whose devices choose the same ids."""
        return self.tenants[0], self.tenants[1]

    @property
    def keepers(self) -> tuple[Tenant, ...]:
        """Those whose devices keep what has not arrived, as the contract wants it."""
        return self.tenants[:-1]

    @property
    def forgetful(self) -> Tenant:
        """One whose devices send every scan once: no second spend hides it when the quota forgets the first."""
        return self.tenants[-1]


async def make(admin: Platform) -> Fleet:
    """Make the companies and register their scanners."""
    lanes = {plan["plan"]: plan["lane"] for plan in (await admin.call("GET", "/v1/plans"))["plans"]}
    tenants = await asyncio.gather(
        *(_tenant(admin, plan, lanes[plan], limits) for plan, limits in _COMPANIES)
    )
    return Fleet(tuple(tenants))


async def _tenant(admin: Platform, plan: str, lane: str, limits: dict[str, int]) -> Tenant:
    company = await admin.company(plan, **limits)
    return Tenant(company.id, lane, tuple([await company.scanner() for _ in range(_SCANNERS)]))
