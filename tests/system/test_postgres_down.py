"""PostgreSQL down: known devices go on, unknown ones and admin calls are told to come back; the recorder catches up."""

from __future__ import annotations

import pytest

from tests.system.actors import Company, Device, Http, eventually, scan
from tests.system.books import assert_balanced
from tests.system.inspector import waiting


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


def test_what_is_accepted_meanwhile_is_recorded_afterwards(mesh, own_company: Company) -> None:
    device = own_company.scanner()
    scans = [scan() for _ in range(6)]
    assert device.submit(scans[0]).status == 200
    mesh.hold("postgres")
    try:
        for each in scans[1:]:
            assert device.submit(each).status == 200
        assert waiting(mesh.describe(), "SCANS") > 0
        for path in (f"/v1/scans/{scans[-1]['scanId']}", "/v1/scans"):
            answer = device.http.get(path)
            assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
            assert answer.retry_delay
    finally:
        mesh.release("postgres")
    assert_balanced(mesh.describe(), own_company, [each["scanId"] for each in scans])
