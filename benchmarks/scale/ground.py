"""What the axes stand on: a mesh that is warm, and the base cell's company with its one scanner."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench import stage
from benchmarks.bench.stage import Stage
from benchmarks.scale import store
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.extent import Extent
from benchmarks.scale.store import Store
from benchmarks.tenants import Company, Device
from deploy.local.mesh import Mesh
from services.auth.keys import Keyring

PEPPER = secrets.token_hex(32)
"""What the meshes of this process make digests of keys with, so that keys can be made here."""
ENVIRONMENT = {"auth": {"AUTH_KEY_PEPPER": PEPPER}}


@dataclass(frozen=True, slots=True)
class Ground:
    """A mesh, and who is there already."""

    extent: Extent
    stage: Stage
    store: Store
    keyring: Keyring
    company: Company
    device: Device

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
        company, device = await entered.company("scale")
        yield Ground(extent, entered, opened, Keyring(PEPPER.encode()), company, device)
