"""What each company has subscribed to, as billing tells it: known by heart to whoever decides by it.

A company that never subscribed is on the default plan; that nothing is heard of one says so only when billing has
told everything. Until then it is held to nothing: a mesh whose billing has never run accepts scans.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.chassis.bus import Bus
from services.chassis.keyvalue import Replica
from services.chassis.subjects import PLANS, Lane

COMPLETE = "complete"
"""The key in the bucket that says, by the epoch of its stream, that nothing is left untold."""
_PLAN = "plan"
_COMPANY = "company"


class OverQuota(StrEnum):
    """What happens to scans beyond the month's quota."""

    REFUSE = "refuse"
    BILL = "bill"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a company may do and gets; None stands for without limit."""

    name: str
    scan_quota: int | None
    """Scans a month."""
    scanner_quota: int | None
    region_quota: int | None
    over_quota: OverQuota
    lane: Lane | None
    """Of scans that may not wait; None: not heard."""
    retention: timedelta
    """How long scans can be looked up after their accept time."""
    ended: bool = False
    """Whether the subscription has ended: no scan is accepted any more."""


LONGEST_RETENTION = timedelta(days=400)
UNKNOWN = Plan("", None, None, None, OverQuota.NONE, None, LONGEST_RETENTION)
"""Stands for the plan of a company until billing has told it."""


def plan_key(name: str) -> str:
    """Answer the key of a plan in the bucket."""
    return f"{_PLAN}.{name}"


def company_key(company_id: int) -> str:
    """Answer the key of a company's subscription in the bucket."""
    return f"{_COMPANY}.{company_id}"


class Plans:
    """The plans of all companies, as far as this process has heard."""

    def __init__(self, bus: Bus) -> None:
        self._replica = Replica(bus, PLANS, self.learn)
        self._offered: dict[str, Plan] = {}
        self._default = ""
        self._complete = False
        self._subscribed: dict[int, events_pb2.SubscriptionChanged] = {}

    @property
    def loaded(self) -> asyncio.Event:
        """Set when everything has been heard that billing had told before."""
        return self._replica.loaded

    @property
    def complete(self) -> bool:
        """Whether everything has been heard: a company of which nothing was is on the default plan for certain."""
        return self._complete and self.loaded.is_set()  # entries changed since it was complete come behind it

    async def run(self) -> None:
        """Follow what billing tells, for ever."""
        await self._replica.run()

    def of(self, company_id: int) -> Plan:
        """Answer the plan of a company; UNKNOWN as long as it has not been heard."""
        subscribed = self._subscribed.get(company_id)
        if subscribed is None:
            return self._offered.get(self._default, UNKNOWN) if self.complete else UNKNOWN
        plan = self._offered.get(subscribed.plan, UNKNOWN)
        ended = subscribed.state == billing_pb2.SUBSCRIPTION_STATE_ENDED
        return replace(plan, ended=True) if ended else plan

    def learn(self, key: str, value: bytes) -> None:
        """Take in an entry of the bucket.

        Raises:
            google.protobuf.message.DecodeError: the bytes are not of the key's message.
        """
        if key.startswith(f"{_PLAN}."):
            offered = events_pb2.PlanOffered.FromString(value)
            self._offered[offered.plan.plan] = _plan(offered.plan)
            if offered.is_default:
                self._default = offered.plan.plan
        elif key.startswith(f"{_COMPANY}."):
            told = events_pb2.SubscriptionChanged.FromString(value)
            before = self._subscribed.get(told.company_id)
            if before is None or told.revision >= before.revision:
                self._subscribed[told.company_id] = told
        elif key == COMPLETE:
            self._complete = True


def _plan(told: billing_pb2.Plan) -> Plan:
    return Plan(
        name=told.plan,
        scan_quota=told.scan_quota if told.HasField("scan_quota") else None,
        scanner_quota=told.scanner_quota if told.HasField("scanner_quota") else None,
        region_quota=told.region_quota if told.HasField("region_quota") else None,
        over_quota=OverQuota(billing_pb2.OverQuota.Name(told.over_quota).removeprefix("OVER_QUOTA_").lower()),
        lane=Lane(told.lane),
        retention=told.retention.ToTimedelta(),
    )
