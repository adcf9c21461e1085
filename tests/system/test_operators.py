"""Operators at the edge: sessions, users, scanners, lists, audit."""

from __future__ import annotations

import uuid
from pathlib import Path

import jwt

from services.chassis.identity import Signer
from tests.system.actors import Company, Http, Operator


def test_session_is_refreshed_and_ended(company: Company) -> None:
    operator = company.user("ROLE_VIEWER")
    edge = Http(company.base)
    renewed = edge.post("/v1/sessions:refresh", {"refreshToken": operator.session["refreshToken"]})
    assert renewed.status == 200
    access = {"authorization": f"Bearer {renewed.body['accessToken']}"}
    assert edge.get(company.path, headers=access).status == 200
    assert edge.delete("/v1/sessions/current", headers=access).status == 200
    ended = edge.get(company.path, headers=access)
    assert (ended.status, ended.reason) == (401, "CREDENTIALS_INVALID")
    again = edge.post("/v1/sessions:refresh", {"refreshToken": renewed.body["refreshToken"]})
    assert again.status == 401


def test_expired_access_token_says_so(company: Company, signing_key: Path) -> None:
    """The operator's client can then renew its session instead of asking for a password."""
    operator = company.user("ROLE_VIEWER")
    claims = jwt.decode(operator.session["accessToken"], options={"verify_signature": False})
    expired = Signer.from_pem(signing_key).encode({**claims, "exp": claims["iat"] - 1})
    answer = Http(company.base, {"authorization": f"Bearer {expired}"}).get(company.path)
    assert (answer.status, answer.reason, answer.retry_delay) == (401, "TOKEN_EXPIRED", None)


def test_wrong_password_and_unknown_email_look_the_same(company: Company) -> None:
    edge = Http(company.base)
    email = f"{uuid.uuid4()}@example.com"
    user = {"email": email, "password": "a password of some length", "role": "ROLE_VIEWER"}
    assert company.admin.http.post(f"{company.path}/users", user).status == 200
    wrong = edge.post("/v1/sessions", {"email": email, "password": "another one of some length"})
    unknown = edge.post(
        "/v1/sessions", {"email": "nobody@example.com", "password": "another one of some length"}
    )
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body


def test_disabled_user_is_out_at_once(company: Company) -> None:
    operator = company.user("ROLE_ADMIN")
    users = company.admin.http.get(f"{company.path}/users?pageSize=1000").body["users"]
    newest = users[0]["userId"]
    assert operator.http.get(company.path).status == 200
    patched = company.admin.http.patch(f"{company.path}/users/{newest}", {"status": "USER_STATUS_DISABLED"})
    assert patched.status == 200
    assert operator.http.get(company.path).status == 401


def test_taken_email_is_409(company: Company) -> None:
    user = {
        "email": f"{uuid.uuid4()}@example.com",
        "password": "a password of some length",
        "role": "ROLE_VIEWER",
    }
    assert company.admin.http.post(f"{company.path}/users", user).status == 200
    taken = company.admin.http.post(f"{company.path}/users", user)
    assert (taken.status, taken.reason, taken.retry_delay) == (409, "ALREADY_EXISTS", None)


def test_scanners_are_listed_newest_first_in_pages(description, platform: Operator) -> None:
    company = Company(description["edge"]["http"], platform)
    made = [company.scanner().scanner_id for _ in range(5)]
    first = company.admin.http.get(f"{company.path}/scanners?pageSize=3").body
    later = company.scanner()  # stable under writes: it must not push anything onto the next page
    token = {"pageToken": first["nextPageToken"], "pageSize": 3}
    second = company.admin.http.get(f"{company.path}/scanners", params=token).body
    listed = [scanner["scannerId"] for page in (first, second) for scanner in page["scanners"]]
    assert listed == made[::-1]
    assert second["nextPageToken"] == ""
    assert later.scanner_id not in listed


def test_bad_page_token_and_mask_are_violations(company: Company) -> None:
    bad = company.admin.http.get(f"{company.path}/scanners?pageToken=nonsense")
    assert (bad.status, bad.violated) == (400, {"page_token"})
    device = company.scanner()
    masked = company.admin.http.patch(f"{company.path}/scanners/{device.scanner_id}?updateMask=nope", {})
    assert (masked.status, masked.reason) == (400, "INVALID_ARGUMENT")


def test_update_takes_what_the_mask_names(company: Company) -> None:
    device = company.scanner(location="A")
    path = f"{company.path}/scanners/{device.scanner_id}"
    answer = company.admin.http.patch(f"{path}?updateMask=displayName", {"displayName": "B", "location": "B"})
    assert (answer.body["scanner"]["displayName"], answer.body["scanner"]["location"]) == ("B", "A")
    answer = company.admin.http.patch(path, {"location": "C"})
    assert (answer.body["scanner"]["displayName"], answer.body["scanner"]["location"]) == ("B", "C")


def test_registering_without_a_type_names_the_field(company: Company) -> None:
    answer = company.admin.http.post(f"{company.path}/scanners", {"displayName": ""})
    assert answer.status == 400
    assert answer.violated >= {"scanner.type", "scanner.display_name"}


def test_changes_are_audited(company: Company) -> None:
    device = company.scanner()
    events = company.admin.http.get(f"{company.path}/auditEvents?pageSize=5").body["auditEvents"]
    assert "scanmesh.auth.v1.ScannerService/RegisterScanner" in {event["method"] for event in events}
    assert any(device.scanner_id in str(event) for event in events)
    assert "kmp_scanner" not in str(events)


def test_public_keys_are_published(description) -> None:
    answer = Http(description["edge"]["http"]).get("/.well-known/jwks.json")
    assert answer.status == 200
    assert answer.body["keys"][0]["kty"] == "OKP"
    assert "d" not in answer.body["keys"][0]
