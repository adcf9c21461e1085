"""The month's end with scans in flight: a scan belongs to the month in which it was accepted, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.mesh import Mesh
from tests.system.actors import Company, Device, Operator, eventually, scan
from tests.system.disturbances import MeshClock
from tests.system.inspector import settle

AHEAD = timedelta(seconds=10)
"""How long before midnight the clock is set: enough to make a company and its scanners."""
AFTER = timedelta(seconds=1)
QUOTA = 5


@pytest.fixture(scope="module")
def midnight() -> datetime:
    """The end of this month, in UTC."""
    return (
        datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(32)
    ).replace(day=1)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mesh, MeshClock]]:
    home = tmp_path_factory.mktemp("month")
    mesh = Mesh(home)
    clock = MeshClock(mesh, home / "clock")
    with mesh:
        yield mesh, clock


def test_scans_in_flight_belong_to_the_month_they_were_accepted_in(
    clock: tuple[Mesh, MeshClock], midnight: datetime
) -> None:
    mesh, time = clock
    time.set(midnight - AHEAD)
    described = mesh.describe()
    base = described["edge"]["http"]
    platform = Operator(base, **described["demo"]["platform_admin"])
    company = Company(base, platform).without_limits()
    device, month_before = company.scanner(), f"{midnight - AHEAD:%Y-%m}"
    limited = Company(base, platform)
    limited.limit("company.month", QUOTA)
    limited_device = limited.scanner()
    quota_used = [limited_device.submit(scan()).status for _ in range(QUOTA + 1)]
    assert quota_used == [200] * QUOTA + [429]
    assert time.now() < midnight, "the machine is too slow for this test"

    mesh.hold("ingest-recorder")  # whatever is accepted now is still in flight at midnight
    accepted = list(_until(time, midnight + AFTER, device))
    mesh.release("ingest-recorder")
    settle(described)
    before = sum(accept_time < midnight for accept_time in accepted)
    after = len(accepted) - before
    assert before
    assert after
    assert (company.usage(month_before), company.usage(), company.invoiced()) == (before, after, after)
    assert _remaining(company) == 100_000 - after

    assert limited_device.submit(scan()).status == 200  # the new month has a quota of its own
    assert (_remaining(limited), limited.usage(month_before)) == (QUOTA - 1, QUOTA)
    eventually(
        lambda: _counted_until(company) > midnight + timedelta(seconds=10),
        seconds=40,
        what="the watermark is in the new month",
    )
    assert _remaining(company) == 100_000 - after
    assert (_remaining(limited), limited.usage()) == (QUOTA - 1, 1)


def _until(time: MeshClock, end: datetime, device: Device) -> Iterator[datetime]:
    """Send scans until `end`; answer the accept time of each."""
    while time.now() < end:
        scans = [scan() for _ in range(5)]
        for each in scans:
            answer = device.submit(each)
            assert answer.status == 200, answer
            yield datetime.fromisoformat(answer.body["acceptTime"])


def _remaining(company: Company) -> int:
    return int(company.limits()["company.month"]["remaining"])


def _counted_until(company: Company) -> datetime:
    answer = company.admin.http.get(f"{company.path}/usage")
    return datetime.fromisoformat(answer.body["asOfTime"])
