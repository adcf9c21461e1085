"""The HTTP paths of the services behind ingest: each becomes the request that the contract means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.billing.v1 import billing_pb2
from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import query_pb2, scan_pb2
from scanmesh.ratelimit.v1 import limit_pb2

from tests.edge.dummies import Dummy

SCAN = "01890a5d-ac96-774b-bcce-b302099a8057"
BARCODE = scan_pb2.Barcode(data="4006381333931")


@dataclass(frozen=True)
class Case:
    """A call over HTTP, and what the service shall see of it."""

    method: str
    path: str
    rpc: str
    request: Message
    body: Any = None


CASES = [
    Case("GET", f"/v1/scans/{SCAN}", "ingest.v1.ScanService/GetScan", query_pb2.GetScanRequest(scan_id=SCAN)),
    Case(
        "GET",
        "/v1/scans?companyId=7&kind=barcode&startTime=1970-01-01T00:00:05Z&pageSize=3&pageToken=t",
        "ingest.v1.ScanService/ListScans",
        query_pb2.ListScansRequest(
            company_id=7, kind="barcode", start_time=Timestamp(seconds=5), page_size=3, page_token="t"
        ),
    ),
    Case(
        "GET",
        "/v1/stats?bucket=minute&region=local&endTime=1970-01-01T00:00:09Z",
        "ingest.v1.ScanService/GetScanStats",
        query_pb2.GetScanStatsRequest(bucket="minute", region="local", end_time=Timestamp(seconds=9)),
    ),
    Case(
        "GET",
        "/v1/deadLetters?pageSize=2",
        "ingest.v1.ScanService/ListDeadLetters",
        query_pb2.ListDeadLettersRequest(page_size=2),
    ),
    Case(
        "POST",
        "/v1/deadLetters:replay",
        "ingest.v1.ScanService/ReplayDeadLetters",
        query_pb2.ReplayDeadLettersRequest(company_id=7, dead_letter_ids=["a", "b"]),
        {"companyId": 7, "deadLetterIds": ["a", "b"]},
    ),
    Case(
        "GET",
        f"/v1/companies/7/limits?scannerId={SCAN}",
        "ratelimit.v1.LimitService/GetLimits",
        limit_pb2.GetLimitsRequest(company_id=7, scanner_id=SCAN),
    ),
    Case(
        "PUT",
        "/v1/companies/7/limits/company.minute",
        "ratelimit.v1.LimitService/SetLimitOverride",
        limit_pb2.SetLimitOverrideRequest(company_id=7, name="company.minute", value=0),
        {"value": "0"},
    ),
    Case(
        "PUT",
        f"/v1/companies/7/scanners/{SCAN}/limits/scanner.minute",
        "ratelimit.v1.LimitService/SetLimitOverride",
        limit_pb2.SetLimitOverrideRequest(company_id=7, scanner_id=SCAN, name="scanner.minute", value=9),
        {"value": 9},
    ),
    Case(
        "DELETE",
        "/v1/companies/7/limits/company.minute",
        "ratelimit.v1.LimitService/DeleteLimitOverride",
        limit_pb2.DeleteLimitOverrideRequest(company_id=7, name="company.minute"),
    ),
    Case(
        "DELETE",
        f"/v1/companies/7/scanners/{SCAN}/limits/scanner.minute",
        "ratelimit.v1.LimitService/DeleteLimitOverride",
        limit_pb2.DeleteLimitOverrideRequest(company_id=7, scanner_id=SCAN, name="scanner.minute"),
    ),
    Case(
        "GET",
        f"/v1/scans/{SCAN}/enrichment",
        "enrichment.v1.EnrichmentService/GetEnrichment",
        enrichment_pb2.GetEnrichmentRequest(scan_id=SCAN),
    ),
    Case(
        "POST",
        "/v1/barcodes:parse",
        "enrichment.v1.EnrichmentService/ParseBarcode",
        enrichment_pb2.ParseBarcodeRequest(barcode=BARCODE),
        {"barcode": {"data": BARCODE.data}},
    ),
    Case("GET", "/v1/plans", "billing.v1.BillingService/ListPlans", billing_pb2.ListPlansRequest()),
    Case(
        "GET",
        "/v1/companies/7/subscription",
        "billing.v1.BillingService/GetSubscription",
        billing_pb2.GetSubscriptionRequest(company_id=7),
    ),
    Case(
        "PATCH",
        "/v1/companies/7/subscription?updateMask=plan",
        "billing.v1.BillingService/UpdateSubscription",
        billing_pb2.UpdateSubscriptionRequest(
            company_id=7,
            subscription=billing_pb2.Subscription(plan="professional"),
            update_mask=FieldMask(paths=["plan"]),
        ),
        {"plan": "professional"},
    ),
    Case(
        "GET",
        "/v1/companies/7/usage?period=2026-11",
        "billing.v1.BillingService/GetUsage",
        billing_pb2.GetUsageRequest(company_id=7, period="2026-11"),
    ),
    Case(
        "GET",
        "/v1/companies/7/invoices:preview",
        "billing.v1.BillingService/PreviewInvoice",
        billing_pb2.PreviewInvoiceRequest(company_id=7),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path}")
def test_path_becomes_the_request(client: httpx.Client, services: dict[str, Dummy], case: Case) -> None:
    answer = client.request(case.method, case.path, **({} if case.body is None else {"json": case.body}))
    assert answer.status_code == httpx.codes.OK, answer.text
    [call] = services[case.rpc.split(".")[0]].calls
    assert (call.method, call.request) == (f"scanmesh.{case.rpc}", case.request)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path}")
def test_path_needs_a_credential_unless_it_is_public(
    stranger: httpx.Client, services: dict[str, Dummy], case: Case
) -> None:
    answer = stranger.request(case.method, case.path, **({} if case.body is None else {"json": case.body}))
    public = case.path == "/v1/plans"
    assert answer.status_code == (httpx.codes.OK if public else httpx.codes.UNAUTHORIZED)
    assert bool(services[case.rpc.split(".")[0]].calls) == public
