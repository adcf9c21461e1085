"""`ratelimit` down: each ingest falls back to buckets of its own. Scans are accepted, bounded, and counted once again later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.actors import Company, Device, scan
from tests.system.books import assert_balanced
from tests.system.disturbances import asks_ratelimit
from tests.system.inspector import fallbacks


@pytest.fixture
def known_device(own_company: Company, limits_in_force: None) -> Device:
    """One whose limits ingest has heard: five scans a minute, one of them spent."""
    device = own_company.scanner()
    own_company.limit("scanner.minute", 5, device)
    assert device.submit(scan()).status == 200
    return device


@pytest.fixture
def ratelimit_down(mesh) -> Iterator[None]:
    mesh.hold("ratelimit")
    yield
    mesh.release("ratelimit")


def test_scans_are_accepted_within_the_limits_last_heard(known_device: Device, ratelimit_down) -> None:
    answer = known_device.http.post("/v1/scans:batch", {"scans": [scan() for _ in range(9)]})
    assert answer.status == 200, answer
    assert 4 <= int(answer.body["acceptedCount"]) <= 5
    assert {rejection["reason"] for rejection in answer.body["rejections"]} == {"RATE_LIMITED"}
    assert all(rejection["retryDelay"] for rejection in answer.body["rejections"])
    refused = known_device.submit(scan())
    assert (refused.status, refused.reason) == (429, "RATE_LIMITED")
    assert refused.retry_delay


def test_device_nobody_knows_has_the_limit_of_its_type(own_company: Company, ratelimit_down) -> None:
    device = own_company.scanner(type="SCANNER_TYPE_HANDHELD")
    answer = device.http.post("/v1/scans:batch", {"scans": [scan() for _ in range(60)]})
    assert 50 <= int(answer.body["acceptedCount"]) <= 52


def test_it_is_seen_in_the_metrics_and_passes(
    description, mesh, own_company: Company, ratelimit_down
) -> None:
    device = own_company.scanner()
    before = fallbacks(description)
    scans = [scan() for _ in range(3)]
    assert {device.submit(each).status for each in scans} == {200}
    assert fallbacks(description) > before
    assert own_company.admin.http.get(f"{own_company.path}/limits").reason == "DEPENDENCY_UNAVAILABLE"
    mesh.release("ratelimit")
    asks_ratelimit(description, device)


def test_what_was_accepted_meanwhile_is_on_the_bill(
    mesh, description, own_company: Company, ratelimit_down
) -> None:
    device = own_company.scanner()
    scans = [scan() for _ in range(3)]
    assert {device.submit(each).status for each in scans} == {200}
    mesh.release("ratelimit")
    assert_balanced(description, own_company, [each["scanId"] for each in scans])
