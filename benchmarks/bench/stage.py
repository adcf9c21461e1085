"""What a row finds when its turn comes: a mesh that is up, the platform admin, the streams, and how long it may take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmarks import tenants
from benchmarks.bench import bus
from benchmarks.bench.bus import Bus
from benchmarks.mesh import Description
from benchmarks.tenants import Company, Device, Platform
from deploy.local.mesh import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of each row is measured; times in seconds."""

    probe: float
    """A closed loop that finds a peak."""
    moment: float
    """A load that is offered to find out whether it may be taken."""
    rate: float
    """A load that has to be taken."""
    sustained: float
    """A load that the whole pipeline has to keep up with."""
    latency: float
    """A load under which latencies are looked at."""
    revocations: int


QUICK = Extent(probe=2, moment=2, rate=5, sustained=15, latency=5, revocations=30)
FULL = Extent(probe=4, moment=4, rate=15, sustained=60, latency=15, revocations=100)


@dataclass(frozen=True)
class Stage:
    """A mesh, and what rows leave behind besides their readings."""

    mesh: Mesh
    began: float
    """When the mesh was told to start, by `time.monotonic`."""
    platform: Platform
    streams: Bus
    extent: Extent
    limits: dict[str, Any] = field(default_factory=dict)
    """Those in force in each company of the bench, by what it is for."""
    profiles: dict[str, Any] = field(default_factory=dict)
    """What a scan costs, by row."""

    @property
    def description(self) -> Description:
        """mesh.json as it is now."""
        return self.mesh.describe()

    @property
    def edge(self) -> str:
        """URL of the edge."""
        return str(self.description["edge"]["http"])

    @property
    def target(self) -> str:
        """Host and port of the edge."""
        return urlsplit(self.edge).netloc

    async def company(self, purpose: str, plan: str = "enterprise", **limits: int) -> tuple[Company, Device]:
        """Make a company for a row, its limits on and, unless given, out of reach; and a scanner of it."""
        company = await self.platform.company(plan, **limits)
        device = await company.scanner()
        asked = {"scannerId": device.scanner_id}
        answered = await self.platform.call("GET", f"{company.path}/limits", params=asked)
        self.limits[purpose] = {limit["name"]: int(limit["limit"]) for limit in answered["limits"]}
        return company, device


@asynccontextmanager
async def entered(mesh: Mesh, began: float, extent: Extent) -> AsyncIterator[Stage]:
    """Set the stage at a mesh that is up."""
    description = mesh.describe()
    async with tenants.platform(description) as platform, bus.opened(description["nats"]) as streams:
        yield Stage(mesh, began, platform, streams, extent)
