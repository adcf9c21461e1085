"""Two replicas of each part: a revoked key is refused by both, any of them may die or be stopped, and the books agree."""

from __future__ import annotations

import os
import signal
import threading
from typing import Self

import pytest

from deploy.local.mesh import Mesh
from deploy.local.roster import PROCESSES, WORKERS
from tests.system.actors import Company, Device, eventually, scan
from tests.system.books import assert_balanced
from tests.system.disturbances import submit_until_accepted

_EVERY_REPLICA = 12
"""Calls in a row of which both replicas answer some: the edge takes them in turn."""


def test_there_are_two_of_each(pair: Mesh) -> None:
    described = pair.describe()
    for service, addresses in described["services"].items():
        assert len(described["processes"][service]) == len(addresses) == 2
    for worker in WORKERS:
        assert len(described["processes"][worker]) == 2


def test_revoked_key_is_refused_by_both(pair_company: Company) -> None:
    device = pair_company.scanner()
    for _ in range(_EVERY_REPLICA):  # both know the key now, each in its own memory
        assert device.submit(scan()).status == 200
    answer = pair_company.admin.http.post(
        f"{pair_company.path}/scanners/{device.scanner_id}:revokeApiKeys", {}
    )
    assert answer.status == 200
    eventually(lambda: device.submit(scan()).status == 401, seconds=1, what="the first refusal")
    eventually(
        lambda: all(device.submit(scan()).status == 401 for _ in range(_EVERY_REPLICA)),
        seconds=1,
        what="refusals by both replicas",
    )


@pytest.mark.parametrize("service", ["auth", "ingest"])
def test_one_replica_may_die(pair: Mesh, pair_company: Company, service: str) -> None:
    device = pair_company.scanner()
    assert device.submit(scan()).status == 200
    os.kill(pair.describe()["processes"][service][0], signal.SIGKILL)
    answers = [device.submit(scan()) for _ in range(_EVERY_REPLICA)]
    assert all(answer.status == 200 or answer.retry_delay for answer in answers), answers
    eventually(
        lambda: all(device.submit(scan()).status == 200 for _ in range(_EVERY_REPLICA)),
        seconds=10,
        what="every call is accepted",
    )


class Load:
    """A device that goes on sending, and sends again what was not accepted, until it is told to stop."""

    def __init__(self, device: Device) -> None:
        self.accepted: list[str] = []
        self._device = device
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._enough.is_set():
            self.accepted.append(submit_until_accepted(self._device, scan()))


def test_replicas_are_killed_and_stopped_under_load(pair: Mesh, pair_company: Company) -> None:
    own_company = Company(pair_company.base, pair_company.platform).without_limits()
    with Load(own_company.scanner()) as one, Load(own_company.scanner(type="SCANNER_TYPE_DOCK")) as two:
        for ending in (signal.SIGKILL, signal.SIGTERM):
            for process in PROCESSES:
                _end_one(pair, process, ending)
            eventually(lambda: _complete(pair), seconds=20, what="all replicas are back")
            sent = len(one.accepted)
            eventually(lambda sent=sent: len(one.accepted) > sent, seconds=20, what="scans are accepted")
    assert_balanced(pair.describe(), own_company, [*one.accepted, *two.accepted])


def _end_one(pair: Mesh, process: str, ending: signal.Signals) -> None:
    """End a replica of a process, the first by a kill and the second by a stop, once the other one is there."""
    eventually(lambda: len(pair.describe()["processes"][process]) == 2, seconds=10, what=f"both {process}")
    first, second = pair.describe()["processes"][process]
    os.kill(first if ending is signal.SIGKILL else second, ending)


def _complete(pair: Mesh) -> bool:
    processes = pair.describe()["processes"]
    return all(len(processes[process]) == 2 for process in PROCESSES)
