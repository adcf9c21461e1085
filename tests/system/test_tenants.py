"""One company never acts on another: by path, by query parameter, by body, by id."""

from __future__ import annotations

import pytest

from deploy.local.mesh import Mesh
from tests.system.actors import Company, Device, Operator, scan
from tests.system.books import listed
from tests.system.inspector import settle


@pytest.fixture(scope="module")
def other(mesh: Mesh, platform: Operator) -> Company:
    return Company(mesh.describe()["edge"]["http"], platform)


def test_another_companys_path_is_403(company: Company, other: Company) -> None:
    for path in (
        *("", "/scanners", "/users", "/auditEvents"),
        *("/limits", "/subscription", "/usage", "/invoices:preview"),
    ):
        answer = company.admin.http.get(f"{other.path}{path}")
        assert (answer.status, answer.reason) == (403, "PERMISSION_DENIED"), path
    made = company.admin.http.post(
        f"{other.path}/scanners", {"displayName": "x", "type": "SCANNER_TYPE_DOCK"}
    )
    assert (made.status, made.reason) == (403, "PERMISSION_DENIED")


def test_another_companys_id_in_the_own_path_is_404(company: Company, other: Company) -> None:
    theirs = other.scanner()
    for method, suffix in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/apiKeys"),
        ("POST", ":rotateApiKey"),
    ):
        body = {"displayName": "mine"} if method == "PATCH" else {} if method == "POST" else None
        answer = company.admin.http.call(method, f"{company.path}/scanners/{theirs.scanner_id}{suffix}", body)
        assert (answer.status, answer.reason) == (404, "NOT_FOUND"), (method, suffix)


def test_query_parameter_that_contradicts_the_path_decides_and_is_refused(
    company: Company, other: Company
) -> None:
    """Envoy lets the query win over the path, so only the decoded message may be trusted."""
    theirs = other.scanner()
    for query in (f"companyId={other.id}", f"company_id={other.id}"):
        answer = company.admin.http.get(f"{company.path}/scanners/{theirs.scanner_id}?{query}")
        assert (answer.status, answer.reason) == (403, "PERMISSION_DENIED")


def test_body_cannot_name_another_company(company: Company, other: Company) -> None:
    body = {"displayName": "x", "type": "SCANNER_TYPE_DOCK", "companyId": other.id}
    made = company.admin.http.post(f"{company.path}/scanners", body)
    assert made.body["scanner"]["companyId"] == company.id


def test_platform_admin_may_act_in_every_company(company: Company, platform: Operator) -> None:
    assert platform.http.get(company.path).body["company"]["companyId"] == company.id
    made = platform.http.post(f"{company.path}/scanners", {"displayName": "x", "type": "SCANNER_TYPE_DOCK"})
    assert made.status == 200


def test_company_admin_is_no_platform_admin(company: Company) -> None:
    admin = company.admin.http
    assert admin.get("/v1/companies").status == 403
    assert admin.post("/v1/companies", {"displayName": "mine"}).status == 403
    assert admin.patch(company.path, {"status": "COMPANY_STATUS_ACTIVE"}).status == 403
    user = {"email": "root@example.com", "password": "long enough to be one", "role": "ROLE_PLATFORM_ADMIN"}
    assert admin.post(f"{company.path}/users", user).status in {400, 403}


def test_viewer_reads_and_does_not_write(company: Company) -> None:
    viewer = company.user("ROLE_VIEWER").http
    assert viewer.get(company.path).status == 200
    assert viewer.get(f"{company.path}/scanners").status == 200
    made = viewer.post(f"{company.path}/scanners", {"displayName": "x", "type": "SCANNER_TYPE_DOCK"})
    assert (made.status, made.reason) == (403, "PERMISSION_DENIED")
    assert viewer.get(f"{company.path}/auditEvents").status == 403


def test_scans_of_another_company_are_not_there(
    description, company: Company, device: Device, other: Company
) -> None:
    theirs, body = other.scanner(), scan()
    assert theirs.submit(body).status == 200
    settle(description)
    path = f"/v1/scans/{body['scanId']}"
    for suffix in ("", "/enrichment"):
        assert theirs.http.get(f"{path}{suffix}").status == 200
        for stranger in (company.admin.http, device.http):
            answer = stranger.get(f"{path}{suffix}")
            assert (answer.status, answer.reason) == (404, "NOT_FOUND")
            named = stranger.get(f"{path}{suffix}", params={"companyId": other.id})
            assert (named.status, named.reason) == (403, "PERMISSION_DENIED")
    assert body["scanId"] not in {each["scanId"] for each in listed(company)}
    assert [each["companyId"] for each in listed(other)] == [other.id]


def test_scanners_see_their_own_scans(
    description, company: Company, device: Device, other_device: Device
) -> None:
    body = scan()
    assert device.submit(body).status == 200
    settle(description)
    seen = [each["scanId"] for each in device.http.get("/v1/scans").body["scans"]]
    assert body["scanId"] in seen
    assert other_device.http.get("/v1/scans").body["scans"] == []


def test_platform_admin_must_name_a_company(company: Company, platform: Operator) -> None:
    span = {"bucket": "day", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"}
    for path, query in (("/v1/scans", {}), ("/v1/stats", span)):
        unnamed = platform.http.get(path, params=query)
        assert (unnamed.status, unnamed.reason, unnamed.violated) == (400, "INVALID_ARGUMENT", {"company_id"})
        assert platform.http.get(path, params={**query, "companyId": company.id}).status == 200
