"""From a device to the invoice: what is made of one accepted scan can be followed at every step, by HTTP and by gRPC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
from scanmesh.billing.v1 import billing_pb2, billing_pb2_grpc
from scanmesh.enrichment.v1 import enrichment_pb2, enrichment_pb2_grpc
from scanmesh.ingest.v1 import ingest_pb2, query_pb2, query_pb2_grpc
from scanmesh.ratelimit.v1 import limit_pb2, limit_pb2_grpc

from tests.system.actors import (
    GTIN,
    Answer,
    Company,
    error_info,
    eventually,
    scan,
    scan_message,
)
from tests.system.books import assert_balanced, statistics

VISIBLE_SECONDS = 10.0
"""The contract says one second for 99 of 100; a busy machine is given more."""
PRODUCT = {
    "gtin": "04006381333931",
    "format": "gtin_13",
    "checkDigitValid": True,
    "symbology": "ean_13",
    "gs1PrefixCountry": "DE",
    "gs1PrefixRange": "",
}


def test_one_scan_over_http(description, own_company: Company) -> None:
    company, device = own_company, own_company.scanner(type="SCANNER_TYPE_DOCK")
    before = remaining(company)
    body = scan(
        location="Dock 4",
        operator="Ann",
        attributes={"lot": "7"},
        barcode={"data": GTIN, "symbologyIdentifier": "]E0"},
    )
    accepted = device.submit(body)
    assert accepted.status == 200, accepted

    path = f"/v1/scans/{body['scanId']}"
    shown = found(lambda: device.http.get(path)).body["scan"]
    assert (shown["companyId"], shown["scannerId"]) == (company.id, device.scanner_id)
    assert (shown["kind"], shown["lane"], shown["region"]) == ("barcode", "standard", "local")
    assert shown["acceptTime"] == accepted.body["acceptTime"]
    assert {name: shown[name] for name in ("location", "operator", "attributes")} == {
        name: body[name] for name in ("location", "operator", "attributes")
    }
    assert shown["barcode"]["data"] == GTIN
    assert company.admin.http.get(path).body["scan"] == shown

    enriched = found(lambda: device.http.get(f"{path}/enrichment")).body["enrichment"]
    assert (enriched["scanId"], enriched["kind"]) == (body["scanId"], "barcode")
    assert enriched["product"] == PRODUCT
    assert_balanced(description, company, [body["scanId"]])
    assert statistics(company, scannerId=device.scanner_id) == {"recorded": 1, "enriched": 1, "failed": 0}

    used = company.admin.http.get(f"{company.path}/usage").body
    assert used["period"] == datetime.now(UTC).strftime("%Y-%m")
    assert used["usage"] == [{"meter": "scans", "quantity": "1", "included": "100000", "overage": "0"}]
    invoice = company.admin.http.get(f"{company.path}/invoices:preview").body["invoice"]
    assert invoice["state"] == "INVOICE_STATE_PREVIEW"
    assert [(line["meter"], line["quantity"]) for line in invoice["lines"]] == [("plan", "1"), ("scans", "1")]
    assert invoice["total"] == {"currencyCode": "USD", "units": "99", "nanos": 0}
    assert before - remaining(company) == 1


def test_a_batch_over_grpc(description, own_company: Company) -> None:
    company, device = own_company, own_company.scanner(type="SCANNER_TYPE_DOCK")
    before = remaining(company)
    scans = [scan_message() for _ in range(7)]
    with device.stub() as stub:
        request = ingest_pb2.SubmitScansRequest(scans=scans)
        assert stub.SubmitScans(request, metadata=device.metadata).accepted_count == 7
    operator = (("authorization", company.admin.http.headers["authorization"]),)
    with grpc.insecure_channel(device.base.removeprefix("http://")) as channel:
        shown = _when_there(
            lambda: query_pb2_grpc.ScanServiceStub(channel).GetScan(
                query_pb2.GetScanRequest(scan_id=scans[6].scan_id), metadata=device.metadata
            )
        )
        assert shown.scan.barcode == scans[6].barcode
        enriched = _when_there(
            lambda: enrichment_pb2_grpc.EnrichmentServiceStub(channel).GetEnrichment(
                enrichment_pb2.GetEnrichmentRequest(scan_id=scans[6].scan_id), metadata=operator
            )
        )
        assert (enriched.enrichment.product.gtin, enriched.enrichment.product.gs1_prefix_country) == (
            PRODUCT["gtin"],
            "DE",
        )
        assert_balanced(description, company, [each.scan_id for each in scans])
        billing = billing_pb2_grpc.BillingServiceStub(channel)
        used = billing.GetUsage(billing_pb2.GetUsageRequest(company_id=company.id), metadata=operator)
        assert [(usage.meter, usage.quantity) for usage in used.usage] == [("scans", 7)]
        preview = billing_pb2.PreviewInvoiceRequest(company_id=company.id)
        assert billing.PreviewInvoice(preview, metadata=operator).invoice.total.units == 99
        limits = limit_pb2_grpc.LimitServiceStub(channel).GetLimits(
            limit_pb2.GetLimitsRequest(company_id=company.id), metadata=operator
        )
        assert before - {limit.name: limit.remaining for limit in limits.limits}["company.month"] == 7


def test_barcode_is_parsed_without_a_scan(own_company: Company) -> None:
    device = own_company.scanner()
    body = {"barcode": {"data": GTIN, "symbologyIdentifier": "]E0"}}
    for caller in (device.http, own_company.admin.http):
        assert caller.post("/v1/barcodes:parse", body).body["product"] == PRODUCT
    wrong = device.http.post("/v1/barcodes:parse", {"barcode": {"data": "4006381333932"}}).body["product"]
    assert (wrong["gtin"], wrong["checkDigitValid"], wrong["format"]) == ("", False, "gtin_13")
    refused = device.http.post("/v1/barcodes:parse", {"barcode": {"data": ""}})
    assert (refused.status, refused.violated) == (400, {"barcode.data"})
    assert own_company.usage() == 0


def remaining(company: Company) -> int:
    return int(company.limits()["company.month"]["remaining"])


def found(ask: Callable[[], Answer]) -> Answer:
    """Ask until it is there; until then the answer says that it is on its way."""
    answers = [ask()]

    def is_there() -> bool:
        answers.append(ask())
        assert answers[-1].status == 200 or answers[-1].reason == "NOT_RECORDED_YET", answers[-1]
        return answers[-1].status == 200

    eventually(is_there, seconds=VISIBLE_SECONDS, what="it is found")
    return answers[-1]


def _when_there(call: Callable[[], Any]) -> Any:
    results = []

    def is_there() -> bool:
        try:
            results.append(call())
        except grpc.RpcError as error:
            if error_info(error).reason != "NOT_RECORDED_YET":
                raise
        return bool(results)

    eventually(is_there, seconds=VISIBLE_SECONDS, what="it is found")
    return results[0]
