"""Keys that are missing, wrong, revoked or not allowed here: refused, with the reason the contract names."""

from __future__ import annotations

import uuid

import pytest

from tests.system.actors import Company, Device, Http, eventually, scan


def submit(base: str, headers: dict[str, str]):
    return Http(base, headers).post("/v1/scans", scan())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "nonsense"},
        {"x-api-key": "kmp_scanner_1_not-a-uuid"},
        {"x-api-key": f"kmp_scanner_1_{uuid.uuid4()}"},
        {"x-api-key": f"kmp_scanner_999999999999_{uuid.uuid4()}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Basic YTpi"},
    ],
)
def test_no_valid_key_is_401(description, headers) -> None:
    answer = submit(description["edge"]["http"], headers)
    assert (answer.status, answer.reason, answer.retry_delay) == (401, "CREDENTIALS_INVALID", None)
    assert "www-authenticate" in answer.headers


def test_key_works_as_bearer_too(device: Device) -> None:
    assert submit(device.base, {"authorization": f"Bearer {device.api_key}"}).status == 200


def test_key_of_one_company_under_the_name_of_another_is_unknown(device: Device, company: Company) -> None:
    secret = device.api_key.rpartition("_")[2]
    assert submit(device.base, {"x-api-key": f"kmp_scanner_{company.id + 1}_{secret}"}).status == 401


def test_revoked_keys_are_refused_at_once(company: Company) -> None:
    device = company.scanner()
    assert device.submit(scan()).status == 200
    revoked = company.admin.http.post(f"{company.path}/scanners/{device.scanner_id}:revokeApiKeys", {})
    assert revoked.status == 200
    assert int(revoked.body["revokedCount"]) == 1
    answer = device.submit(scan())
    assert (answer.status, answer.reason) == (401, "CREDENTIALS_INVALID")


def test_rotation_ends_the_old_key(company: Company) -> None:
    device = company.scanner()
    assert device.submit(scan()).status == 200
    rotated = company.admin.http.post(f"{company.path}/scanners/{device.scanner_id}:rotateApiKey", {})
    assert rotated.status == 200
    assert submit(device.base, {"x-api-key": rotated.body["apiKey"]}).status == 200
    assert device.submit(scan()).status == 401


def test_rotation_with_overlap_keeps_the_old_key_until_then(company: Company) -> None:
    device = company.scanner()
    path = f"{company.path}/scanners/{device.scanner_id}"
    rotated = company.admin.http.post(f"{path}:rotateApiKey", {"overlap": "2s"})
    assert rotated.body["previousExpireTime"]
    assert device.submit(scan()).status == 200
    eventually(lambda: device.submit(scan()).status == 401, seconds=10, what="the old key ends")
    assert submit(device.base, {"x-api-key": rotated.body["apiKey"]}).status == 200
    keys = company.admin.http.get(f"{path}/apiKeys").body["apiKeys"]
    assert all("kmp_scanner" not in str(key) for key in keys)


def test_disabled_scanner_is_refused_and_comes_back(company: Company) -> None:
    device = company.scanner()
    path = f"{company.path}/scanners/{device.scanner_id}"
    assert device.submit(scan()).status == 200
    assert company.admin.http.patch(path, {"status": "SCANNER_STATUS_DISABLED"}).status == 200
    assert (device.submit(scan()).status, device.submit(scan()).reason) == (401, "CREDENTIALS_INVALID")
    assert company.admin.http.patch(path, {"status": "SCANNER_STATUS_ACTIVE"}).status == 200
    assert device.submit(scan()).status == 200


def test_deleted_scanner_is_refused(company: Company) -> None:
    device = company.scanner()
    assert device.submit(scan()).status == 200
    assert company.admin.http.delete(f"{company.path}/scanners/{device.scanner_id}").status == 200
    assert device.submit(scan()).status == 401
    assert company.admin.http.get(f"{company.path}/scanners/{device.scanner_id}").status == 404


def test_suspended_company_is_403(company: Company) -> None:
    device = company.scanner()
    assert device.submit(scan()).status == 200
    platform = company.platform.http
    assert platform.patch(company.path, {"status": "COMPANY_STATUS_SUSPENDED"}).status == 200
    answer = device.submit(scan())
    assert (answer.status, answer.reason, answer.retry_delay) == (403, "COMPANY_SUSPENDED", None)
    assert platform.patch(company.path, {"status": "COMPANY_STATUS_ACTIVE"}).status == 200
    assert device.submit(scan()).status == 200


def test_address_outside_the_allowed_networks_is_403(company: Company) -> None:
    device = company.scanner()
    admin = company.platform.http  # the company's own admin would lock itself out
    assert (
        admin.patch(f"{company.path}?updateMask=allowedCidrs", {"allowedCidrs": ["203.0.113.0/24"]}).status
        == 200
    )
    answer = Http(device.base, {"x-api-key": device.api_key, "x-forwarded-for": "203.0.113.9"}).post(
        "/v1/scans", scan()
    )
    assert (answer.status, answer.reason) == (403, "ADDRESS_NOT_ALLOWED")
    assert (
        admin.patch(f"{company.path}?updateMask=allowedCidrs", {"allowedCidrs": ["127.0.0.0/8"]}).status
        == 200
    )
    assert device.submit(scan()).status == 200


def test_operator_may_not_submit_scans(company: Company) -> None:
    answer = company.admin.http.post("/v1/scans", scan())
    assert (answer.status, answer.reason) == (403, "PERMISSION_DENIED")


def test_scanner_may_not_administrate(company: Company) -> None:
    device = company.scanner()
    answer = device.http.get(f"{company.path}/scanners")
    assert (answer.status, answer.reason) == (403, "PERMISSION_DENIED")
