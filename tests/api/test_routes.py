"""The HTTP mapping is the contract's, written out here a second time so that no edit changes it by accident."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.api import http_pb2

from services.chassis.roles import RULES
from tests.api.descriptors import Api

_COMPANY = "/v1/companies/{company_id}"
_SCANNER = _COMPANY + "/scanners/{scanner_id}"

ROUTES = {
    "scanmesh.auth.v1.SessionService/CreateSession": ["POST /v1/sessions body *"],
    "scanmesh.auth.v1.SessionService/RefreshSession": ["POST /v1/sessions:refresh body *"],
    "scanmesh.auth.v1.SessionService/DeleteSession": ["DELETE /v1/sessions/current"],
    "scanmesh.auth.v1.SessionService/GetJwks": ["GET /.well-known/jwks.json"],
    "scanmesh.auth.v1.CompanyService/CreateCompany": ["POST /v1/companies body company"],
    "scanmesh.auth.v1.CompanyService/GetCompany": [f"GET {_COMPANY}"],
    "scanmesh.auth.v1.CompanyService/ListCompanies": ["GET /v1/companies"],
    "scanmesh.auth.v1.CompanyService/UpdateCompany": [f"PATCH {_COMPANY} body company"],
    "scanmesh.auth.v1.UserService/CreateUser": [f"POST {_COMPANY}/users body user"],
    "scanmesh.auth.v1.UserService/ListUsers": [f"GET {_COMPANY}/users"],
    "scanmesh.auth.v1.UserService/UpdateUser": [f"PATCH {_COMPANY}/users/{{user_id}} body user"],
    "scanmesh.auth.v1.ScannerService/RegisterScanner": [f"POST {_COMPANY}/scanners body scanner"],
    "scanmesh.auth.v1.ScannerService/GetScanner": [f"GET {_SCANNER}"],
    "scanmesh.auth.v1.ScannerService/ListScanners": [f"GET {_COMPANY}/scanners"],
    "scanmesh.auth.v1.ScannerService/UpdateScanner": [f"PATCH {_SCANNER} body scanner"],
    "scanmesh.auth.v1.ScannerService/DeleteScanner": [f"DELETE {_SCANNER}"],
    "scanmesh.auth.v1.ScannerService/RotateApiKey": [f"POST {_SCANNER}:rotateApiKey body *"],
    "scanmesh.auth.v1.ScannerService/RevokeApiKeys": [f"POST {_SCANNER}:revokeApiKeys body *"],
    "scanmesh.auth.v1.ScannerService/ListApiKeys": [f"GET {_SCANNER}/apiKeys"],
    "scanmesh.auth.v1.AuditService/ListAuditEvents": [f"GET {_COMPANY}/auditEvents"],
    "scanmesh.ingest.v1.IngestService/SubmitScan": ["POST /v1/scans body scan"],
    "scanmesh.ingest.v1.IngestService/SubmitScans": ["POST /v1/scans:batch body *"],
    "scanmesh.ingest.v1.IngestService/SubmitLegacyScan": ["POST /api/scan body *"],
    "scanmesh.ingest.v1.ScanService/GetScan": ["GET /v1/scans/{scan_id}"],
    "scanmesh.ingest.v1.ScanService/ListScans": ["GET /v1/scans"],
    "scanmesh.ingest.v1.ScanService/GetScanStats": ["GET /v1/stats"],
    "scanmesh.ingest.v1.ScanService/ListDeadLetters": ["GET /v1/deadLetters"],
    "scanmesh.ingest.v1.ScanService/ReplayDeadLetters": ["POST /v1/deadLetters:replay body *"],
    "scanmesh.ratelimit.v1.LimitService/GetLimits": [f"GET {_COMPANY}/limits"],
    "scanmesh.ratelimit.v1.LimitService/SetLimitOverride": [
        f"PUT {_COMPANY}/limits/{{name}} body *",
        f"PUT {_SCANNER}/limits/{{name}} body *",
    ],
    "scanmesh.ratelimit.v1.LimitService/DeleteLimitOverride": [
        f"DELETE {_COMPANY}/limits/{{name}}",
        f"DELETE {_SCANNER}/limits/{{name}}",
    ],
    "scanmesh.enrichment.v1.EnrichmentService/GetEnrichment": ["GET /v1/scans/{scan_id}/enrichment"],
    "scanmesh.enrichment.v1.EnrichmentService/ParseBarcode": ["POST /v1/barcodes:parse body *"],
    "scanmesh.billing.v1.BillingService/ListPlans": ["GET /v1/plans"],
    "scanmesh.billing.v1.BillingService/GetSubscription": [f"GET {_COMPANY}/subscription"],
    "scanmesh.billing.v1.BillingService/UpdateSubscription": [
        f"PATCH {_COMPANY}/subscription body subscription"
    ],
    "scanmesh.billing.v1.BillingService/GetUsage": [f"GET {_COMPANY}/usage"],
    "scanmesh.billing.v1.BillingService/PreviewInvoice": [f"GET {_COMPANY}/invoices:preview"],
}

INTERNAL = {
    "scanmesh.ratelimit.v1.RateLimitService/Spend",
    "scanmesh.ratelimit.v1.RateLimitService/SpendMany",
    "scanmesh.ratelimit.v1.RateLimitService/Refund",
    "scanmesh.billing.v1.UsageService/GetLedgerTotal",
}


def test_every_rpc_has_the_routes_of_the_contract(api: Api) -> None:
    routes = {rpc.name: [_spelt(rule) for rule in rpc.routes] for rpc in api.rpcs() if rpc.routes}

    assert routes == ROUTES


def test_only_internal_rpcs_have_no_route(api: Api) -> None:
    assert {rpc.name for rpc in api.rpcs() if not rpc.routes} == INTERNAL


def test_the_roles_table_calls_the_same_rpcs_public(api: Api) -> None:
    routed = {rpc.name: bool(rpc.routes) for rpc in api.rpcs()}

    assert routed == {name: RULES[f"/{name}"].public for name in routed}


def test_no_route_is_given_twice(api: Api) -> None:
    routes = [_route(rule) for rpc in api.rpcs() for rule in rpc.routes]

    assert len(routes) == len(set(routes))


def test_path_variables_and_bodies_are_fields_of_the_request(api: Api) -> None:
    fields = {name: {field.name for field in message.field} for name, message in api.messages().items()}
    missing = [
        (rpc.name, variable)
        for rpc in api.rpcs()
        for rule in rpc.routes
        for variable in _variables(rule)
        if variable not in fields[rpc.method.input_type.lstrip(".")]
    ]

    assert missing == []


def test_requests_of_a_company_path_name_the_company_at_the_top(api: Api) -> None:
    for rpc in api.rpcs():
        for rule in rpc.routes:
            _, path = _route(rule)
            assert not path.startswith("/v1/companies/") or path.startswith(_COMPANY), rpc.name


def _route(rule: http_pb2.HttpRule) -> tuple[str, str]:
    verb = rule.WhichOneof("pattern")
    assert verb is not None
    return verb.upper(), getattr(rule, verb)


def _spelt(rule: http_pb2.HttpRule) -> str:
    verb, path = _route(rule)
    return f"{verb} {path} body {rule.body}" if rule.body else f"{verb} {path}"


def _variables(rule: http_pb2.HttpRule) -> Iterator[str]:
    _, path = _route(rule)
    yield from re.findall(r"\{(\w+)\}", path)
    if rule.body not in ("", "*"):
        yield rule.body
