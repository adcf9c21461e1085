"""Valkey down, or emptied: identity falls through to PostgreSQL, and no revoked key comes back."""

from __future__ import annotations

import pytest

from tests.system.actors import Company, Device, eventually, scan


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
