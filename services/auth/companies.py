"""Companies: the tenants. What one may be called, where it is at home, and from where it may be called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.auth.fields import MAX_NAME, check_networks, network
from services.chassis.errors import NotFound, PermissionDenied
from services.chassis.fields import Problems, check_name, check_text
from services.chassis.identity import Role

MAX_ID = 2**31 - 1
"""Greatest number a company can have."""
_MAX_CIDRS = 256
MUTABLE = frozenset({"display_name", "status", "region", "allowed_cidrs"})
_PLATFORM_ONLY = frozenset({"status", "region"})
CREDENTIAL_FIELDS = frozenset({"status", "region", "allowed_cidrs"})
"""The fields that decide what a credential of the company is worth: their change is published."""


class Status(StrEnum):
    """Whether a company is served."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Company:
    """A company as stored."""

    company_id: int
    display_name: str
    status: Status
    region: str
    allowed_cidrs: tuple[str, ...]
    create_time: datetime


class CompanyNotFound(NotFound):
    """No company has this id; only a platform admin ever learns so."""

    def __init__(self, company_id: int) -> None:
        super().__init__(f"there is no company {company_id}", metadata={"company_id": str(company_id)})


def read_id(text: str) -> int | None:
    """Read a company's id; None if it cannot be the id of one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))):
        return None
    return int(text) if int(text) <= MAX_ID else None


def check(problems: Problems, values: Mapping[str, Any]) -> None:
    """Check the given fields of a company, whichever they are."""
    if "display_name" in values:
        check_text(problems, "display_name", values["display_name"], at_least=1, at_most=MAX_NAME)
    if "region" in values:
        check_name(problems, "region", values["region"])
    if len(values.get("allowed_cidrs", ())) > _MAX_CIDRS:
        problems.add("allowed_cidrs", f"must be at most {_MAX_CIDRS} networks")
    check_networks(problems, "allowed_cidrs", values.get("allowed_cidrs", ()))


def normal(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer fields that were checked as they are stored: each network in the one form it is shown in."""
    if "allowed_cidrs" not in values:
        return dict(values)
    return {**values, "allowed_cidrs": tuple(map(network, values["allowed_cidrs"]))}


def authorise_update(role: Role, names: Iterable[str]) -> None:
    """Let a company's own admin change its name and its networks, nothing else.

    Raises:
        PermissionDenied: a field is the platform's to change.
    """
    theirs = sorted(_PLATFORM_ONLY.intersection(names))
    if theirs and role is not Role.PLATFORM_ADMIN:
        raise PermissionDenied(f"only a platform admin may change {', '.join(theirs)} of a company")
