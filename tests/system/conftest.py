"""One mesh for all system tests: each makes companies and scanners of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.mesh import Mesh
from tests.system.actors import Company, Device, Operator
from tests.system.disturbances import asks_ratelimit


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(tmp_path_factory.mktemp("mesh")) as mesh:
        yield mesh


@pytest.fixture
def description(mesh: Mesh) -> dict[str, Any]:
    """mesh.json, as it is now."""
    return mesh.describe()


@pytest.fixture(scope="session")
def platform(mesh: Mesh) -> Operator:
    """The platform admin, signed in."""
    described = mesh.describe()
    return Operator(described["edge"]["http"], **described["demo"]["platform_admin"])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh with two replicas of everything, of one module's own."""
    with Mesh(tmp_path_factory.mktemp("pair"), replicas=2) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def pair_company(pair: Mesh) -> Company:
    """A company in it, with no limit that a test could hit."""
    described = pair.describe()
    base = described["edge"]["http"]
    return Company(base, Operator(base, **described["demo"]["platform_admin"])).without_limits()


@pytest.fixture(scope="module")
def company(mesh: Mesh, platform: Operator) -> Company:
    """A company for one module's tests, with no limit that they could hit."""
    company = Company(mesh.describe()["edge"]["http"], platform).without_limits()
    assert company.admin
    return company


@pytest.fixture
def own_company(mesh: Mesh, platform: Operator) -> Company:
    """A company for one test, with the limits of its plan."""
    return Company(mesh.describe()["edge"]["http"], platform)


@pytest.fixture(scope="module")
def device(company: Company) -> Device:
    return company.scanner()


@pytest.fixture(scope="module")
def other_device(company: Company) -> Device:
    return company.scanner()


@pytest.fixture
def fresh_device(company: Company) -> Device:
    """One that no cache has seen yet."""
    return company.scanner()


@pytest.fixture
def limits_in_force(mesh: Mesh, device: Device) -> None:
    """Ingest asks `ratelimit`, and does not go by buckets of its own as after an outage in the test before."""
    asks_ratelimit(mesh.describe(), device)


@pytest.fixture(scope="session")
def signing_key(mesh: Mesh) -> Path:
    """The key that auth signs with: what only an insider holds."""
    return mesh.home.signing_key
