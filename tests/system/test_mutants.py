"""The books can fail: a service that breaks one rule is found out, and the real ones, under the same faults, are not.

Each mutant is planted into a mesh that is up, sent what exposes it, and killed where it has just gone wrong. Its
companies' books stay wrong, so every case has companies of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.books.audit import Report, audit
from benchmarks.books.claims import Claims
from benchmarks.mutants.catalogue import MUTANTS, Mutant
from benchmarks.plants.site import planted
from benchmarks.plants.site.planted import Plant
from deploy.local.mesh import Mesh
from tests.system.actors import Company, Device, Operator, batch_request, eventually, scan, scan_message
from tests.system.disturbances import redelivery_within, restart
from tests.system.inspector import fallbacks, settle

REDELIVERY_SECONDS = 1.0
FIRE_SECONDS = 60.0
"""Bounds the slowest on a machine that is busy: several parts start anew at the same time."""
STANDSTILL_SECONDS = 1.5
TRIES = 3
"""On a busy machine what a mutant does wrong may leave no trace (`leaves_a_trace`)."""
REPAIRED_SECONDS = 15.0
"""So far the ledger's watermark stays behind: when it has passed, a wrong refund is put right."""
CALL_SECONDS = 1.0
"""What a device in a hurry waits for: not as long as the bus stands still."""
WRONG_STEPS = {
    mutant.part: mutant.plants[-1].target for mutant in MUTANTS.values() if mutant.part in mutant.targets
}
"""Of each process that is killed, a step that a mutant takes wrongly."""


@dataclass
class Fleet:
    """Scanners of two companies, and what they were told of their scans."""

    one: Device
    other: Device
    accepted: set[tuple[int, str]] = field(default_factory=set)
    unknown: set[tuple[int, str]] = field(default_factory=set)

    @property
    def companies(self) -> set[int]:
        return {self.one.company_id, self.other.company_id}

    @property
    def claims(self) -> Claims:
        return Claims(frozenset(self.accepted), frozenset(self.unknown - self.accepted), frozenset())

    def work(self) -> None:
        """Send scans once, some twice in a batch and in another one, and some under the ids of the other company."""
        twice, shared = scan(), scan()
        self.send(self.one, scan(), scan())
        self.send(self.one, twice, twice, scan())
        self.send(self.one, scan(), twice)
        for device in (self.one, self.other):
            self.send(device, shared)

    def send(self, device: Device, *scans: dict[str, Any]) -> None:
        """Send a batch until all of it is accepted, as a device does that keeps what is not."""
        keys = {(device.company_id, each["scanId"]) for each in scans}
        self.unknown |= keys

        def accepted() -> bool:
            try:
                answer = device.http.post("/v1/scans:batch", {"scans": scans})
            except OSError:
                return False
            assert answer.status == 200 or answer.retry_delay, answer
            return answer.status == 200 and not answer.body["rejections"]

        eventually(accepted, seconds=FIRE_SECONDS, what="the batch is accepted")
        self.accepted |= keys

    def hurry(self, pid: int) -> None:
        """Send scans to a bus that stands still (process `pid`), and do not send them again."""
        message = scan_message()
        self.unknown.add((self.other.company_id, message.scan_id))
        with self.other.stub() as stub, standing_still(pid):
            call = stub.SubmitScans.future(
                batch_request(message), metadata=self.other.metadata, timeout=CALL_SECONDS
            )
            assert call.exception(timeout=STANDSTILL_SECONDS) is not None
            assert call.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.fixture(scope="module", autouse=True)
def soon(mesh: Mesh) -> Iterator[None]:
    with redelivery_within(mesh.describe(), REDELIVERY_SECONDS):
        yield


@pytest.fixture
def fleet(mesh: Mesh, platform: Operator) -> Fleet:
    base = mesh.describe()["edge"]["http"]
    one, other = (Company(base, platform) for _ in range(2))
    one.subscribe("enterprise")  # no quota: what it sends twice stays in one until the watermark has passed
    return Fleet(one.scanner(), other.scanner())


class Bed:
    """What is planted into a mesh: one process at a time is not the real one."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._planted = ""

    def plant(self, part: str, *faults: Plant) -> None:
        """Restart a process with these faults, and the one before as the real one if that is another."""
        if self._planted not in {"", part}:
            self.clear()
        self._planted = part
        self._mesh.environment(part, planted.environment(*faults))
        restart(self._mesh, part)

    def clear(self) -> None:
        self._mesh.environment(self._planted, {})
        restart(self._mesh, self._planted)


@pytest.fixture(scope="module")
def bed(mesh: Mesh) -> Iterator[Bed]:
    bed = Bed(mesh)
    yield bed
    bed.clear()


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_mutant_is_found_out(mesh: Mesh, fleet: Fleet, tmp_path: Path, bed: Bed, mutant: Mutant) -> None:
    marker = tmp_path / "killed"
    is_killed = mutant.part in mutant.targets
    for _ in range(TRIES):
        bed.plant(mutant.part, *mutant.plants, *([killed(marker)] if is_killed else ()))
        fleet.work()
        if is_killed:
            eventually(marker.exists, seconds=FIRE_SECONDS, what=f"the kill of {mutant.part}")
        if "nats" in mutant.targets:
            fleet.hurry(*mesh.describe()["processes"]["nats"])
        begun = time.monotonic()
        report = checked(mesh, fleet)
        if report.differences or leaves_a_trace(mesh, mutant, report, time.monotonic() - begun):
            break
    assert any(mutant.found_as in difference for difference in report.differences), report


def leaves_a_trace(mesh: Mesh, mutant: Mutant, report: Report, seconds: float) -> bool:
    """Tell whether a mutant must have been found by books that agreed so long after it was provoked.

    A wrong refund shows unless ingest decided by itself, the publish was refused and not unknown, or it is put right.
    """
    if fallbacks(mesh.describe()):
        return False
    return "nats" not in mutant.targets or bool(report.counts.unknown_stored and seconds < REPAIRED_SECONDS)


def test_real_services_under_the_same_faults_are_not(mesh: Mesh, fleet: Fleet, tmp_path: Path) -> None:
    steps = {step: tmp_path / step for step in WRONG_STEPS.values()}
    for part, step in WRONG_STEPS.items():
        fault = Plant(target=step, act="kill", when="after", marker=str(steps[step]))
        mesh.environment(part, planted.environment(fault))
        kill(mesh, part)
    fleet.work()
    eventually(lambda: all(map(Path.exists, steps.values())), seconds=FIRE_SECONDS, what="all kills")
    fleet.hurry(*mesh.describe()["processes"]["nats"])
    assert checked(mesh, fleet).differences == ()
    for part in WRONG_STEPS:
        mesh.environment(part, {})


def killed(marker: Path) -> Plant:
    """Kill the process once, at the end of the window that a mutant has opened."""
    return Plant(target="benchmarks.mutants.window:window", act="kill", when="after", marker=str(marker))


def kill(mesh: Mesh, part: str) -> None:
    for pid in mesh.describe()["processes"][part]:
        os.kill(pid, signal.SIGKILL)


def checked(mesh: Mesh, fleet: Fleet) -> Report:
    description = mesh.describe()
    settle(description)
    # Whom ingest had to decide for by itself, on a busy machine, the quota does not know of.
    exact = not fallbacks(description)
    return asyncio.run(audit(description, companies=fleet.companies, claims=fleet.claims, exact_quota=exact))


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
