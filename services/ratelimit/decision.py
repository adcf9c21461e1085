"""A decision on scans: what is asked, what was decided, and what is needed first to decide at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from services.ratelimit.limits import Defaults, Name, Source


class Trust(IntEnum):
    """How good the ledger's word must be for the quota to be decided by it."""

    FRESH = 0
    """Only seconds old, where scans would be refused by it."""
    STALE = 1
    """However old."""
    NONE = 2
    """There may be none at all: the quota then refuses nothing but what it knows to be too much."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose limits are meant: a scanner's and its company's, or a company's alone."""

    company_id: int
    scanner_id: str = ""
    """A UUID in lower case; empty for the company alone."""
    scanner_type: str = ""
    """Lower_snake; empty if there is no scanner, or its type has no default of its own."""


@dataclass(frozen=True, slots=True)
class Spend:
    """A wish to spend for scans."""

    spend_id: str
    """The same on every retry; what it was granted is charged once."""
    cost: int
    """The number of scans, at least 1."""
    partial: bool
    """Whether fewer than `cost` are of use."""


LOOK = Spend("", 0, partial=True)
"""Stands for a spend where the limits are only looked at."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided, or only looked at."""

    holder: Holder
    spend: Spend
    now: datetime
    """What this process' clock shows: the time of the buckets."""
    accept_time: datetime
    """At least `now`, and later than every watermark of the company: the time of the quota."""
    defaults: Defaults
    trust: Trust = Trust.FRESH


class Certainty(StrEnum):
    """What the month's quota was decided by."""

    EXACT = "exact"
    """By all that was ever granted; also where the quota decides nothing."""
    CELLS_UNKNOWN = "cells_unknown"
    """By less: what was granted between the watermark and the moment Valkey began to count is not known."""
    NO_BASE = "no_base"
    """By nothing that the ledger says."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit in force and how it stands."""

    name: Name
    limit: int
    source: Source
    remaining: int
    """The scans it would still grant, 0 to `limit`."""
    refused: bool = False
    """Whether it refused any of what was asked."""
    wait: timedelta = timedelta()
    """Of a bucket: until it grants what it refused; when it was only looked at, until it is full."""
    ledger_total: int = 0
    """Of the month's quota: how much of what is used is in the ledger."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was granted and charged, or would be."""

    granted: int
    accept_time: datetime
    """Later than every watermark of the company."""
    overrides_read: datetime
    """When the overrides that were applied had been read from the database."""
    certainty: Certainty
    standings: Sequence[Standing]
    """The limits that took part, ordered by name."""


@dataclass(frozen=True, slots=True)
class OverridesNeeded:
    """Nothing is decided: the company's overrides are not known."""


@dataclass(frozen=True, slots=True)
class LaterNeeded:
    """Nothing is decided: the time given is not later than what the ledger has closed its books on."""

    watermark: datetime


@dataclass(frozen=True, slots=True)
class BaseNeeded:
    """Nothing is decided: the ledger's word on the month is missing, or too old to refuse by."""

    stale: bool


Answer = Decision | OverridesNeeded | LaterNeeded | BaseNeeded
