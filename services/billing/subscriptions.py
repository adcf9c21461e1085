"""Subscriptions: which plan a company is on, since when, and whether that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

MUTABLE = frozenset({"plan", "state"})


class State(StrEnum):
    """Whether a subscription goes on."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a company has subscribed to."""

    company_id: int
    plan: str
    state: State
    start_time: datetime
    """When the plan began."""
    pending_plan: str | None = None
    revision: int = 0
    """Grows with every change; 0 as long as none is stored."""
    change_time: datetime | None = None

    def changed(self, values: Mapping[str, Any], now: datetime) -> Subscription:
        """Answer the subscription with new values; another plan begins now."""
        changed = replace(self, **values)
        return changed if changed.plan == self.plan else replace(changed, start_time=now)
