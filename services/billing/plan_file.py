"""Reads `plans.yaml`. Money is written as text, never as a float, and everything that is wrong is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml

from services.billing.plans import Catalogue, Plan
from services.billing.prices import CURRENCY, MAX_DECIMALS
from services.chassis.plans import LONGEST_RETENTION, OverQuota
from services.chassis.subjects import Lane

T = TypeVar("T")

PATH = Path(__file__).parent / "plans.yaml"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_AMOUNT = re.compile(rf"\d{{1,12}}(\.\d{{1,{MAX_DECIMALS}}})?", re.ASCII)
_LANES = {lane.value: lane for lane in Lane if lane is not Lane.BULK}
_OVER_QUOTA = {over_quota.value: over_quota for over_quota in OverQuota}


class PlansInvalid(Exception):
    """Says everything that is wrong with a file of plans, one problem a line."""


def load(path: Path = PATH) -> Catalogue:
    """Read the plans from a file.

    Raises:
        PlansInvalid: it does not describe plans.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise PlansInvalid(f"is not YAML: {error}") from error
    return parse(document)


def parse(document: object) -> Catalogue:
    """Read the plans from a YAML document.

    Raises:
        PlansInvalid: with every problem.
    """
    problems: list[str] = []
    top = _Members(problems, "", document)
    top.read("currency", _currency)
    default = top.read("default", _text)
    offered = top.read("plans", _mapping) or {}
    plans = {str(name): _plan(problems, str(name), terms) for name, terms in offered.items()}
    if default not in plans:
        problems.append("default: must be the name of a plan")
    top.no_others()
    if problems:
        raise PlansInvalid("\n".join(problems))
    return Catalogue({name: plan for name, plan in plans.items() if plan}, str(default))


def _plan(problems: list[str], name: str, terms: object) -> Plan | None:
    known = len(problems)
    members = _Members(problems, f"plans.{name}.", terms)
    if not _NAME.fullmatch(name):
        problems.append(f"plans.{name}: must be lower_snake")
    values: dict[str, Any] = {
        "monthly_price": members.read("monthly_price", _money),
        "over_quota": members.read("over_quota", lambda value: _chosen(value, _OVER_QUOTA)),
        "lane": members.read("lane", lambda value: _chosen(value, _LANES)),
        "retention": members.read("retention_days", _days),
        "scanner_quota": members.read("scanner_quota", _count, optional=True),
        "region_quota": members.read("region_quota", _count, optional=True),
    }
    if values["over_quota"] in {OverQuota.REFUSE, OverQuota.BILL}:
        values["scan_quota"] = members.read("scan_quota", _count)
    if values["over_quota"] is OverQuota.BILL:
        values["overage_price"] = members.read("overage_price", _money)
        values["overage_unit"] = members.read("overage_unit", _count)
    members.no_others()
    return Plan(name=name, **values) if len(problems) == known else None


class _Members:
    """Reads the members of a mapping one by one, and collects what is wrong with them."""

    def __init__(self, problems: list[str], prefix: str, given: object) -> None:
        self._problems = problems
        self._prefix = prefix
        self._left = dict(given) if isinstance(given, Mapping) else {}
        if not isinstance(given, Mapping):
            problems.append(f"{prefix.removesuffix('.') or 'the file'}: must be a mapping")

    def read(self, name: str, reader: Callable[[object], T], *, optional: bool = False) -> T | None:
        """Answer a member; None, noted as a problem unless it may be absent, if it cannot be read."""
        if name not in self._left:
            if not optional:
                self._problems.append(f"{self._prefix}{name}: is missing")
            return None
        try:
            return reader(self._left.pop(name))
        except (TypeError, ValueError) as error:
            self._problems.append(f"{self._prefix}{name}: {error}")
            return None

    def no_others(self) -> None:
        """Note members that nobody has read: a typing error, or a term that would not hold."""
        self._problems += [f"{self._prefix}{name}: says nothing here" for name in self._left]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a text")
    return value


def _mapping(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise TypeError("must be a mapping")
    return value


def _currency(value: object) -> str:
    if value != CURRENCY:
        raise ValueError(f"must be {CURRENCY}")
    return CURRENCY


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("must be a whole number from 1")
    return value


def _days(value: object) -> timedelta:
    if _count(value) > LONGEST_RETENTION.days:
        raise ValueError(f"must be at most {LONGEST_RETENTION.days}")
    return timedelta(days=_count(value))


def _chosen(value: object, among: Mapping[str, T]) -> T:
    if not isinstance(value, str) or value not in among:
        raise ValueError(f"must be one of {', '.join(among)}")
    return among[value]


def _money(value: object) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError(f"must be a text with a decimal number of at most {MAX_DECIMALS} decimals")
    return Decimal(value)
