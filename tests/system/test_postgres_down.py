"""PostgreSQL down: known devices go on, unknown ones and admin calls are told to come back."""

from __future__ import annotations

import pytest

from tests.system.actors import Company, Device, Http, eventually, scan


@pytest.fixture
def postgres_down(mesh, device: Device, company: Company):
    assert device.submit(scan()).status == 200
    mesh.hold("postgres")
    yield
    mesh.release("postgres")
    eventually(
        lambda: company.admin.http.get(company.path).status == 200, seconds=15, what="PostgreSQL is back"
    )


def test_known_devices_go_on(device: Device, postgres_down) -> None:
    for _ in range(20):
        assert device.submit(scan()).status == 200


def test_unknown_key_is_told_to_come_back(device: Device, fresh_device: Device, postgres_down) -> None:
    """Nobody can say that the key is wrong, so the device keeps its scans."""
    answer = Http(device.base, {"x-api-key": fresh_device.api_key}).post("/v1/scans", scan())
    assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
    assert answer.retry_delay


def test_admin_calls_fail_typed(company: Company, postgres_down) -> None:
    for answer in (
        company.admin.http.get(f"{company.path}/scanners"),
        company.admin.http.post(
            f"{company.path}/scanners", {"displayName": "x", "type": "SCANNER_TYPE_DOCK"}
        ),
        Http(company.base).post(
            "/v1/sessions", {"email": "a@example.com", "password": "long enough to be one"}
        ),
    ):
        assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE"), answer
        assert answer.retry_delay
