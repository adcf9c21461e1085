"""What companies have subscribed to, as a test says."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from services.chassis.plans import UNKNOWN, Plan


class FakePlans:
    """Every company's plan is unknown until it subscribes."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}

    def subscribe(self, company_id: int, **plan: Any) -> None:
        """Give a company a plan of these fields, the others as if it were unknown."""
        self._plans[company_id] = dataclasses.replace(UNKNOWN, **plan)

    def of(self, company_id: int) -> Plan:
        """Answer a company's plan."""
        return self._plans.get(company_id, UNKNOWN)

    async def run(self) -> None:
        """Hear nothing, for ever."""
        await asyncio.Event().wait()
