"""A device that posts JSON: what it is told, and that the scan is on disk when it is told so."""

from __future__ import annotations

import ssl
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.actors import GTIN, Device, Http, scan
from tests.system.inspector import record, stored_scans


def test_accepted_scan_is_on_record(description, device: Device) -> None:
    body = scan(scanId=str(uuid.uuid4()).upper(), location="Dock 4", attributes={"lot": "7"})
    answer = device.submit(body)
    assert answer.status == 200, answer
    scan_id = body["scanId"].lower()
    assert answer.body["scanId"] == scan_id
    on_record = record(description, scan_id)
    stored = on_record.scan
    assert (stored.barcode.data, stored.location, dict(stored.attributes)) == (GTIN, "Dock 4", {"lot": "7"})
    assert not stored.HasField("scan_time")
    assert (on_record.company_id, on_record.scanner_id) == (device.company_id, device.scanner_id)
    assert (on_record.kind, on_record.region) == ("barcode", "local")
    accepted = datetime.fromisoformat(answer.body["acceptTime"])
    assert on_record.accept_time == accepted
    assert abs(datetime.now(UTC) - accepted) < timedelta(seconds=10)


def test_output_only_fields_are_ignored(description, device: Device) -> None:
    body = scan(companyId=999_999, scannerId="forged", lane="premium", region="mars", kind="document")
    assert device.submit(body).status == 200
    on_record = record(description, body["scanId"])
    assert (on_record.company_id, on_record.scanner_id) == (device.company_id, device.scanner_id)
    assert (on_record.lane, on_record.region, on_record.kind) == ("standard", "local", "barcode")


@pytest.mark.parametrize(
    ("changes", "violated"),
    [
        ({"scanId": ""}, {"scan_id"}),
        ({"scanId": "not-a-uuid"}, {"scan_id"}),
        ({"scanId": "00000000-0000-0000-0000-000000000000"}, {"scan_id"}),
        ({"barcode": {"data": ""}}, {"barcode.data"}),
        ({"barcode": {"data": "x" * 4_297}}, {"barcode.data"}),
        ({"barcode": None}, {"payload"}),
        ({"location": "a\0b", "operator": "x" * 257}, {"location", "operator"}),
        ({"scanTime": "2020-01-01T00:00:00Z"}, {"scan_time"}),
        ({"attributes": {str(n): "" for n in range(65)}}, {"attributes"}),
    ],
)
def test_invalid_scan_names_every_violation(device: Device, changes, violated) -> None:
    answer = device.submit(scan(**changes))
    assert (answer.status, answer.reason) == (400, "INVALID_ARGUMENT")
    assert answer.violated == violated
    assert answer.retry_delay is None


def test_misspelt_scan_id_is_refused(device: Device) -> None:
    """Envoy drops unknown fields silently: were an id made up, every retry would be a new, billed scan."""
    answer = device.http.post("/v1/scans", {"scanID": str(uuid.uuid4()), "barcode": {"data": GTIN}})
    assert (answer.status, answer.violated) == (400, {"scan_id"})


@pytest.mark.parametrize(
    "content", [b"{", b'{"barcode": 7}', b'{"scanTime": "yesterday"}', b'{"barcode": {"data": {}}}', b"\xff"]
)
def test_body_that_is_not_of_the_schema_is_malformed(device: Device, content: bytes) -> None:
    answer = device.http.call("POST", "/v1/scans", content=content)
    assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")
    assert answer.retry_delay is None


def test_batch_answers_scan_by_scan(description, device: Device) -> None:
    good, bad, also_good = scan(), scan(scanId="nope", location="x" * 300), scan()
    answer = device.http.post("/v1/scans:batch", {"scans": [good, bad, also_good]})
    assert answer.status == 200, answer
    assert answer.body["acceptedCount"] == "2"
    [rejection] = answer.body["rejections"]
    assert (rejection["index"], rejection["scanId"], rejection["reason"]) == (1, "nope", "INVALID_ARGUMENT")
    assert {violation["field"] for violation in rejection["violations"]} == {"scan_id", "location"}
    assert rejection.get("retryDelay") is None
    assert len(stored_scans(description, good["scanId"], also_good["scanId"])) == 2


def test_batch_of_bad_scans_only_is_answered_scan_by_scan(device: Device) -> None:
    answer = device.http.post("/v1/scans:batch", {"scans": [scan(scanId="x"), scan(scanId="y")]})
    assert answer.status == 200
    assert answer.body["acceptedCount"] == "0"
    assert [rejection["index"] for rejection in answer.body["rejections"]] == [0, 1]


def test_batch_size_limits(device: Device) -> None:
    full = device.http.post("/v1/scans:batch", {"scans": [scan() for _ in range(1_000)]})
    assert (full.status, full.body["acceptedCount"]) == (200, "1000")
    over = device.http.post("/v1/scans:batch", {"scans": [scan() for _ in range(1_001)]})
    assert (over.status, over.reason, over.retry_delay) == (400, "BATCH_TOO_LARGE", None)
    empty = device.http.post("/v1/scans:batch", {"scan": [scan()]})
    assert (empty.status, empty.reason, empty.violated) == (400, "INVALID_ARGUMENT", {"scans"})


def test_large_batch_spans_messages(description, device: Device) -> None:
    scans = [scan(attributes={str(n): "x" * 1_000 for n in range(30)}) for _ in range(60)]
    answer = device.http.post("/v1/scans:batch", {"scans": scans})
    assert (answer.status, answer.body["acceptedCount"]) == (200, "60")
    assert len(stored_scans(description, *(each["scanId"] for each in scans))) == 60


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/v1/scans", "/v1/scans:batch"])
def test_body_over_four_mebibytes_is_413(device: Device, path: str, *, chunked: bool) -> None:
    content = b'{"scans": "' + b"x" * (4 * 1024 * 1024) + b'"}'
    answer = device.http.call("POST", path, content=iter([content]) if chunked else content)
    assert (answer.status, answer.reason, answer.retry_delay) == (413, "REQUEST_TOO_LARGE", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nope"),
        ("PUT", "/v1/scans"),
        ("GET", "/v1/scans:batch"),
        ("DELETE", "/v1/companies"),
        ("POST", "/"),
    ],
)
def test_unknown_route_or_method_is_404(device: Device, method: str, path: str) -> None:
    answer = device.http.call(method, path)
    assert (answer.status, answer.reason, answer.retry_delay) == (404, "ROUTE_NOT_FOUND", None)


def test_bulk_goes_to_the_bulk_lane_and_the_rest_to_the_plans(description, device: Device) -> None:
    bulk, plain = scan(), scan()
    assert device.http.post("/v1/scans?bulk=true", bulk).status == 200
    assert device.http.post("/v1/scans:batch", {"scans": [plain]}).status == 200
    assert record(description, bulk["scanId"]).lane == "bulk"
    assert record(description, plain["scanId"]).lane == "standard"


def test_http2_and_tls_are_the_same_door(description, device: Device) -> None:
    key = {"x-api-key": device.api_key}
    plain = Http(description["edge"]["http"], key, http1=False, http2=True).post("/v1/scans", scan())
    tls = Http(description["edge"]["https"], key, http2=True, verify=_trusting(description)).post(
        "/v1/scans", scan()
    )
    assert (plain.status, tls.status) == (200, 200)


def test_health_pages(description) -> None:
    edge = Http(description["edge"]["http"])
    assert (edge.get("/healthz").status, edge.get("/readyz").status) == (200, 200)


def _trusting(description):
    return ssl.create_default_context(cafile=description["edge"]["ca"])
