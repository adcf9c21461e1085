"""What the axes stand on: a mesh that is warm, and the base cell's company with its one scanner."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench import stage, usage
from benchmarks.bench.stage import Stage
from benchmarks.mesh import Description
from benchmarks.scale import store
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.extent import Extent
from benchmarks.scale.store import Store
from benchmarks.tenants import Device
from deploy.local.mesh import Mesh
from services.auth.keys import Keyring

PEPPER = secrets.token_hex(32)
"""What the meshes of this process make digests of keys with, so that keys can be made here."""
_IDLE_SECONDS = 5.0
ENVIRONMENT = {"auth": {"AUTH_KEY_PEPPER": PEPPER}}


@dataclass(frozen=True, slots=True)
class Ground:
    """A mesh, and who is there already."""

    extent: Extent
    stage: Stage
    store: Store
    keyring: Keyring
    device: Device
    idle: float
    """CPU that the mesh takes when nothing is offered: ms a second."""

    @property
    def one(self) -> Crowd:
        """The base cell's only scanner."""
        return Crowd([self.device])


@asynccontextmanager
async def prepared(mesh: Mesh, extent: Extent) -> AsyncIterator[Ground]:
    """Make the company at a mesh that runs in `ENVIRONMENT`."""
    async with (
        stage.entered(mesh, time.monotonic(), stage.QUICK) as entered,
        store.opened(mesh.describe()) as opened,
    ):
        _, device = await entered.company("scale")
        idle = await _idle(mesh.describe())
        yield Ground(extent, entered, opened, Keyring(PEPPER.encode()), device, idle)


async def _idle(description: Description) -> float:
    before = usage.mesh_cpu_seconds(description)
    await asyncio.sleep(_IDLE_SECONDS)
    after = usage.mesh_cpu_seconds(description)
    return 1_000 * sum(after[name] - before[name] for name in after) / _IDLE_SECONDS
