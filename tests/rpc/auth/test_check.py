from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from google.rpc import error_details_pb2, status_pb2
from scanmesh.auth.v1 import auth_pb2

from services.auth.check import LANE_HEADER
from services.auth.check_server import CHECK
from services.auth.credentials import Credential
from services.chassis.identity import METADATA_KEY
from services.chassis.subjects import Lane
from tests.rpc.auth.replica import denied, token


async def networks(auth, company_id, *cidrs):
    request = auth_pb2.UpdateCompanyRequest(company_id=company_id)
    request.company.allowed_cidrs.extend(cidrs)
    request.update_mask.paths.append("allowed_cidrs")
    await auth.companies.UpdateCompany(request, **auth.platform)


async def test_a_key_is_taken_as_header_or_bearer_and_never_handed_on(auth):
    made = await auth.scanner(await auth.company())
    by_header = await auth.check(x_api_key=made.api_key)
    by_bearer = await auth.check(authorization=f"Bearer {made.api_key}")
    by_both = await auth.check(x_api_key=made.api_key, authorization=f"bearer {made.api_key}")
    assert by_header == by_bearer == by_both
    ours = {name for name in by_header.headers if name.startswith("x-")}
    assert (by_header.status, ours, by_header.body) == (200, {METADATA_KEY, LANE_HEADER}, "")


async def test_a_credential_gets_the_same_token_for_half_a_minute(auth, clock):
    made = await auth.scanner(await auth.company())
    first = token(await auth.check(x_api_key=made.api_key))
    clock.advance(timedelta(seconds=29))
    assert token(await auth.check(x_api_key=made.api_key)) == first
    clock.advance(timedelta(seconds=1))
    assert token(await auth.check(x_api_key=made.api_key)) != first


async def test_a_change_of_lane_is_in_the_next_token(auth, plans):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    first = token(await auth.check(x_api_key=made.api_key))
    plans.subscribe(company_id, lane=Lane.PREMIUM)
    assert (await auth.identity_of(x_api_key=made.api_key)).lane == "premium"
    assert (await auth.check(x_api_key=made.api_key)).headers[LANE_HEADER] == "premium"
    second = token(await auth.check(x_api_key=made.api_key))
    assert second != first
    assert token(await auth.check(x_api_key=made.api_key)) == second


async def test_a_scanner_is_known_by_its_type_and_an_operator_by_none(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id, type=auth_pb2.SCANNER_TYPE_DOCK)
    assert (await auth.identity_of(x_api_key=made.api_key)).scanner_type == "dock"
    request = auth_pb2.UpdateScannerRequest(company_id=company_id, scanner_id=made.scanner.scanner_id)
    request.scanner.type = auth_pb2.SCANNER_TYPE_FIXED
    await auth.scanners.UpdateScanner(request, **auth.platform)
    assert (await auth.identity_of(x_api_key=made.api_key)).scanner_type == "fixed"
    signed_in = await auth.sign_in((await auth.user(company_id)).email)
    operator = await auth.identity_of(authorization=f"Bearer {signed_in.access_token}")
    assert operator.scanner_type == ""


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": "kmp_scanner_1_nonsense"},
        {"x_api_key": f"kmp_scanner_1_{uuid4()}"},
        {"x_api_key": f"kmp_scanner_2147483648_{uuid4()}"},
        {"x_api_key": f"kmp_scanner_1_{uuid4()},kmp_scanner_1_{uuid4()}"},
        {"x_api_key": "nonsense", "authorization": "Bearer nonsense"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Bearer \xff"},
        {"authorization": "Bearer \xff.\xff.\xff"},
        {"authorization": "Basic QTpC"},
    ],
)
async def test_what_is_no_credential_is_refused(auth, headers):
    answer = await auth.check(**headers)
    assert denied(answer) == (401, "CREDENTIALS_INVALID")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="scanmesh"'
    assert not [name for name in answer.headers if name.startswith("x-")]


async def test_two_different_credentials_are_none(auth):
    company_id = await auth.company()
    one, two = await auth.scanner(company_id), await auth.scanner(company_id)
    answer = await auth.check(x_api_key=one.api_key, authorization=f"Bearer {two.api_key}")
    assert denied(answer) == (401, "CREDENTIALS_INVALID")


async def test_a_key_is_good_in_the_company_it_names_only(auth):
    company_id, other = await auth.company(), await auth.company()
    made = await auth.scanner(company_id)
    secret = made.api_key.rpartition("_")[2]
    assert denied(await auth.check(x_api_key=f"kmp_scanner_{other}_{secret}")) == (401, "CREDENTIALS_INVALID")


async def test_a_suspended_companys_keys_are_refused_until_it_is_active_again(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    request = auth_pb2.UpdateCompanyRequest(company_id=company_id)
    request.company.status = auth_pb2.COMPANY_STATUS_SUSPENDED
    await auth.companies.UpdateCompany(request, **auth.platform)
    assert denied(await auth.check(x_api_key=made.api_key)) == (403, "COMPANY_SUSPENDED")
    request.company.status = auth_pb2.COMPANY_STATUS_ACTIVE
    await auth.companies.UpdateCompany(request, **auth.platform)
    assert await auth.admits(made.api_key)


async def test_a_call_must_come_from_the_companys_networks(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    await networks(auth, company_id, "198.51.100.0/24", "2001:db8::/32")
    key = {"x_api_key": made.api_key}
    assert denied(await auth.check("192.0.2.1", **key)) == (403, "ADDRESS_NOT_ALLOWED")
    for inside in ("198.51.100.7", "::ffff:198.51.100.7", "2001:db8::7"):
        assert (await auth.check(inside, **key)).status == 200
    assert denied(await auth.check("", **key)) == (403, "ADDRESS_NOT_ALLOWED")
    await networks(auth, company_id)
    assert (await auth.check("192.0.2.1", **key)).status == 200


async def test_a_grpc_caller_is_refused_in_its_own_terms(auth):
    answer = await auth.check(x_scanmesh_native="yes")
    details = answer.headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (16, "CREDENTIALS_INVALID", "scanmesh.dev")
    assert answer.body == status.message
    assert answer.headers["content-type"] == "application/grpc"


async def test_a_refusal_is_the_json_that_services_answer(auth):
    assert json.loads((await auth.check()).body) == {
        "code": 16,
        "message": "the request shows no credential",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "CREDENTIALS_INVALID",
                "domain": "scanmesh.dev",
                "metadata": {},
            }
        ],
    }


async def test_a_key_given_twice_is_none(auth):
    company_id = await auth.company()
    one, two = await auth.scanner(company_id), await auth.scanner(company_id)
    answer = await auth.ask(f"{CHECK}/v1/scans", [("x-api-key", one.api_key), ("x-api-key", two.api_key)])
    assert denied(answer) == (401, "CREDENTIALS_INVALID")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_check_does_not_depend_on_the_request(auth, method):
    made = await auth.scanner(await auth.company())
    for path in (
        "/",
        "//x",
        "/v1/scans?a=[&b=%zz",
        f"/v1/scans?pageToken={'x' * 60_000}",
    ):
        assert (await auth.ask(CHECK + path, {"x-api-key": made.api_key}, method=method)).status == 200
        assert (await auth.ask(CHECK + path, method=method)).status == 401


@pytest.mark.parametrize("key", ["kmp_scanner_1_\xe4", "kmp_scanner_1_" + "x" * 60_000])
async def test_an_odd_key_is_refused_in_form(auth, key):
    assert denied(await auth.check(x_api_key=key)) == (401, "CREDENTIALS_INVALID")


async def test_other_paths_of_the_port_let_nobody_in(auth):
    made = await auth.scanner(await auth.company())
    assert (await auth.ask("/v1/scans", {"x-api-key": made.api_key})).status == 404


async def test_the_path_of_a_request_is_not_a_path_of_ours(auth):
    reader, writer = await asyncio.open_connection("127.0.0.1", auth.checks_port)
    writer.write(f"GET {CHECK}/../live HTTP/1.1\r\nhost: auth\r\nconnection: close\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_a_fault_lets_nobody_in(auth, monkeypatch):
    made = await auth.scanner(await auth.company())
    monkeypatch.setattr(Credential, "admit", None)
    assert (await auth.check(x_api_key=made.api_key)).status == 503


async def test_auth_is_live_from_its_start_and_ready_when_credentials_can_be_looked_up(auth):
    assert await auth.is_live()
    assert await auth.is_ready()
