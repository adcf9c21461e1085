"""Two replicas of each service: a revoked key is refused by both, and one replica may die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from deploy.local.mesh import Mesh
from tests.system.actors import Company, Operator, eventually, scan

_EVERY_REPLICA = 12
"""Calls in a row of which both replicas answer some: the edge takes them in turn."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(tmp_path_factory.mktemp("pair"), replicas=2) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def company(pair: Mesh) -> Company:
    described = pair.describe()
    base = described["edge"]["http"]
    return Company(base, Operator(base, **described["demo"]["platform_admin"]))


def test_there_are_two_of_each(pair: Mesh) -> None:
    described = pair.describe()
    for service in ("auth", "ingest"):
        assert len(described["processes"][service]) == len(described["services"][service]) == 2


def test_revoked_key_is_refused_by_both(company: Company) -> None:
    device = company.scanner()
    for _ in range(_EVERY_REPLICA):  # both know the key now, each in its own memory
        assert device.submit(scan()).status == 200
    answer = company.admin.http.post(f"{company.path}/scanners/{device.scanner_id}:revokeApiKeys", {})
    assert answer.status == 200
    eventually(lambda: device.submit(scan()).status == 401, seconds=1, what="the first refusal")
    eventually(
        lambda: all(device.submit(scan()).status == 401 for _ in range(_EVERY_REPLICA)),
        seconds=1,
        what="refusals by both replicas",
    )


@pytest.mark.parametrize("service", ["auth", "ingest"])
def test_one_replica_may_die(pair: Mesh, company: Company, service: str) -> None:
    device = company.scanner()
    assert device.submit(scan()).status == 200
    os.kill(pair.describe()["processes"][service][0], signal.SIGKILL)
    answers = [device.submit(scan()) for _ in range(_EVERY_REPLICA)]
    assert all(answer.status == 200 or answer.retry_delay for answer in answers), answers
    eventually(
        lambda: all(device.submit(scan()).status == 200 for _ in range(_EVERY_REPLICA)),
        seconds=10,
        what="every call is accepted",
    )
