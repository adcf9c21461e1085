"""Valkey down, or emptied: identity and limits go on without it, no revoked key comes back, and no bill is wrong."""

from __future__ import annotations

import pytest

from tests.system.actors import Company, Device, eventually, scan
from tests.system.books import assert_balanced, listed
from tests.system.inspector import settle


@pytest.fixture
def valkey_down(mesh):
    mesh.hold("valkey")
    yield
    mesh.release("valkey")


def test_new_and_known_devices_are_recognised(company: Company, device: Device, valkey_down) -> None:
    assert device.submit(scan()).status == 200


def test_revocation_needs_valkey_but_holds_meanwhile(mesh, company: Company, fresh_device: Device) -> None:
    """The tombstone must be acknowledged before the answer; the change itself holds, and a retry completes it."""
    assert fresh_device.submit(scan()).status == 200
    path = f"{company.path}/scanners/{fresh_device.scanner_id}:revokeApiKeys"
    mesh.hold("valkey")
    try:
        answer = company.admin.http.post(path, {})
        assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
        assert answer.retry_delay
        eventually(
            lambda: fresh_device.submit(scan()).status == 401, seconds=5, what="the revoked key is refused"
        )
    finally:
        mesh.release("valkey")
    eventually(
        lambda: company.admin.http.post(path, {}).status == 200, seconds=10, what="the retry completes"
    )
    assert fresh_device.submit(scan()).status == 401


def test_emptied_valkey_opens_no_door(mesh, company: Company, fresh_device: Device) -> None:
    assert fresh_device.submit(scan()).status == 200
    path = f"{company.path}/scanners/{fresh_device.scanner_id}:revokeApiKeys"
    assert company.admin.http.post(path, {}).status == 200
    mesh.hold("valkey")
    mesh.release("valkey")
    assert fresh_device.submit(scan()).status == 401


def test_scans_are_accepted_and_limited_without_it(mesh, own_company: Company, limits_in_force: None) -> None:
    device = own_company.scanner()
    own_company.limit("scanner.minute", 5, device)
    scans = [scan() for _ in range(9)]
    assert device.submit(scans[0]).status == 200
    mesh.hold("valkey")
    try:
        answer = device.http.post("/v1/scans:batch", {"scans": scans[1:]})
        assert answer.status == 200, answer
        granted = int(answer.body["acceptedCount"])
        assert 4 <= granted <= 5  # the bucket of five last heard of, not what was left of it
        assert {rejection["reason"] for rejection in answer.body["rejections"]} == {"RATE_LIMITED"}
        assert own_company.platform.http.get(f"{own_company.path}/limits").reason == "DEPENDENCY_UNAVAILABLE"
    finally:
        mesh.release("valkey")
    settle(mesh.describe())
    assert {each["scanId"] for each in scans[: 1 + granted]} <= {
        each["scanId"] for each in listed(own_company)
    }


def test_emptied_valkey_forgets_no_override_and_no_usage(mesh, own_company: Company) -> None:
    device = own_company.scanner()
    own_company.limit("scanner.minute", 1_000, device)
    own_company.limit("company.month", 7)
    scans = [scan() for _ in range(6)]
    assert {device.submit(each).status for each in scans} == {200}
    assert_balanced(mesh.describe(), own_company, [each["scanId"] for each in scans])
    mesh.hold("valkey")
    mesh.release("valkey")
    limits = own_company.limits(device)
    assert (limits["scanner.minute"]["limit"], limits["scanner.minute"]["source"]) == ("1000", "scanner")
    assert limits["company.month"]["limit"] == "7"
    eventually(
        lambda: own_company.limits()["company.month"]["remaining"] == "1",
        seconds=30,  # until the watermark has passed: the ledger knows again what Valkey has lost
        what="the quota is counted from the ledger",
    )
