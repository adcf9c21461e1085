"""Scanners: the registered devices and agents of a company, and the metadata of their API keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.auth.fields import MAX_NAME
from services.chassis.errors import FailedPrecondition, NotFound, Reason
from services.chassis.fields import Problems, check_name, check_text

MUTABLE = frozenset({"display_name", "type", "location", "region", "firmware_version", "status"})
CREDENTIAL_FIELDS = frozenset({"status", "region", "type"})
"""The fields that decide what a scanner's keys are worth, or its limits: their change is published."""
MAX_OVERLAP = timedelta(days=30)
"""How long a rotated key may go on working."""
_MAX_VERSION = 64


class Status(StrEnum):
    """Whether a scanner's keys work."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Type(StrEnum):
    """What a scanner is; decides its default limits."""

    HANDHELD = "handheld"
    VEHICLE = "vehicle"
    AGENT = "agent"
    DOCK = "dock"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner as stored."""

    company_id: int
    scanner_id: UUID
    display_name: str
    type: Type
    location: str
    region: str
    firmware_version: str
    status: Status
    create_time: datetime
    last_seen_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be told of an API key: everything but the key."""

    key_id: UUID
    create_time: datetime
    last_used_time: datetime | None
    expire_time: datetime | None
    """When it stops working because it was rotated; None while it has no end."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a company's plan lets it have; None: any number."""

    scanners: int | None = None
    """Scanners that are not deleted."""
    regions: int | None = None
    """Different regions that they are in."""

    @property
    def limits(self) -> bool:
        """Whether there is anything that must be counted."""
        return (self.scanners, self.regions) != (None, None)

    def check_one_more(self, region: str, held: Mapping[str, int]) -> None:
        """Return if a scanner may come to `region`, beside those held, counted by region.

        Raises:
            ScannerLimitReached: there are as many as there may be.
            RegionLimitReached: it would be in a region too many.
        """
        if self.scanners is not None and sum(held.values()) >= self.scanners:
            raise ScannerLimitReached(self.scanners)
        self.check_region(region, held)

    def check_region(self, region: str, others: Mapping[str, int]) -> None:
        """Return if a scanner may be in `region`, given the others, counted by region.

        Raises:
            RegionLimitReached: it would be in a region too many.
        """
        if self.regions is not None and region not in others and len(others) >= self.regions:
            raise RegionLimitReached(self.regions)


class ScannerLimitReached(FailedPrecondition):
    """The company has as many scanners as its plan allows."""

    reason = Reason.SCANNER_LIMIT_REACHED

    def __init__(self, limit: int) -> None:
        super().__init__(f"the plan allows {limit} scanners", metadata={"limit": str(limit)})


class RegionLimitReached(FailedPrecondition):
    """The company's scanners are in as many regions as its plan allows."""

    reason = Reason.REGION_LIMIT_REACHED

    def __init__(self, limit: int) -> None:
        super().__init__(f"the plan allows {limit} regions", metadata={"limit": str(limit)})


class ScannerNotFound(NotFound):
    """The company has no scanner with this id, or it was deleted."""

    def __init__(self, scanner_id: str) -> None:
        super().__init__("the company has no such scanner", metadata={"scanner_id": scanner_id})


def check(problems: Problems, values: Mapping[str, Any]) -> None:
    """Check the given fields of a scanner, whichever they are."""
    if "display_name" in values:
        check_text(problems, "display_name", values["display_name"], at_least=1, at_most=MAX_NAME)
    if "location" in values:
        check_text(problems, "location", values["location"], at_most=MAX_NAME)
    if "firmware_version" in values:
        check_text(problems, "firmware_version", values["firmware_version"], at_most=_MAX_VERSION)
    if "region" in values:
        check_name(problems, "region", values["region"])


def check_overlap(problems: Problems, overlap: timedelta) -> None:
    """Check how long the previous keys are to go on working."""
    if not timedelta() <= overlap <= MAX_OVERLAP:
        problems.add("overlap", f"must be 0 to {MAX_OVERLAP.days} days")
