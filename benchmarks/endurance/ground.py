"""What both runs stand on: a mesh of their own, a company with its devices, and how much of it the mesh can take."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench.batches import Batches
from benchmarks.bench.capacity import capacity
from benchmarks.bench.offer import Load, peak
from benchmarks.bench.stage import QUICK, Stage, entered
from benchmarks.books.audit import audit
from benchmarks.tenants import Company
from deploy.local.mesh import Mesh

_SIZE = 100
_CALLERS = 16
_FLOOD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A mesh that is warm, and what it takes."""

    stage: Stage
    company: Company
    batches: Batches
    load: Load
    """Batches of a hundred scans of one device."""
    capacity: float
    """Scans a second that went through all of the pipeline in a short flood."""

    async def differences(self) -> tuple[str, ...]:
        """Compare the books, the client's among them, once everything has arrived."""
        await self.stage.streams.settle()
        claims = self.batches.claims(self.company.id)
        found = await audit(self.stage.description, companies=[self.company.id], claims=claims)
        return found.differences


@asynccontextmanager
async def prepared(mesh: Mesh) -> AsyncIterator[Ground]:
    """Make the company and find out what the mesh takes."""
    async with entered(mesh, time.monotonic(), QUICK) as stage:
        company, device = await stage.company("endurance")
        async with Batches(stage.target, [device.api_key], _SIZE) as batches:
            load = Load(batches.send, _SIZE, _CALLERS)
            await peak(load, _FLOOD_SECONDS)  # connections, caches, the day's partitions
            await stage.streams.settle()
            yield Ground(stage, company, batches, load, await capacity(stage, load, company, _FLOOD_SECONDS))
