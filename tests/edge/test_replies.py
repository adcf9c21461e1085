"""Envoy's own refusals, in the contract's form for JSON callers and for native gRPC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from tests.edge import doorkeepers, dummies, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

NATIVE_KEY = tuple(doorkeepers.GOOD_KEY.items())
MALFORMED = Refusal(400, "REQUEST_MALFORMED", "malformed request", None, None)
UNAVAILABLE = Refusal(503, "DEPENDENCY_UNAVAILABLE", "try again later", "1s", "1")
LATE = Refusal(504, "DEADLINE_EXCEEDED", "no answer in time", "1s", "1")
INTERNAL = Refusal(500, "INTERNAL", "internal error", "1s", "1")
TOO_LARGE = Refusal(413, "REQUEST_TOO_LARGE", "the body is larger than 4194304 bytes", None, None)
BODY_LIMIT = 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{not json", "Expected : between key:value pair"),
        (b'{"barcode": {"data": {}}}', "scan.barcode"),
        (b'{"scanTime": "yesterday"}', "scan.scan_time"),
        (b'{"scanId": "a"', "Unexpected end"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_body_that_is_not_of_the_schema_is_malformed(
    client: httpx.Client, ingest: Dummy, body: bytes, told: str
) -> None:
    refusal = statuses.from_json(client.post("/v1/scans", content=body))
    assert (refusal.status, refusal.reason, refusal.retry_delay) == (400, "REQUEST_MALFORMED", None)
    assert told in refusal.message
    assert not ingest.calls


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/companies/x", "company_id"),
        ("/v1/companies/7?nope=1", "nope"),
        ("/v1/companies?pageSize=a", "page_size"),
    ],
)
def test_a_path_or_query_that_is_not_of_the_schema_is_malformed(
    client: httpx.Client, path: str, told: str
) -> None:
    refusal = statuses.from_json(client.get(path))
    assert (refusal.status, refusal.reason) == (400, "REQUEST_MALFORMED")
    assert told in refusal.message


def test_an_escaped_slash_is_malformed(client: httpx.Client) -> None:
    assert statuses.from_json(client.get("/v1/companies/7/scanners/a%2F..%2Fb")) == MALFORMED


def test_an_upgrade_is_malformed(client: httpx.Client) -> None:
    """A device takes a 403 for a key that is no good any more."""
    headers = {"connection": "upgrade", "upgrade": "websocket"}
    assert statuses.from_json(client.get("/v1/companies", headers=headers)) == MALFORMED


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/scans HTTP/1.1\r\n\r\n",
        b"GET /v1/scans HTTP/1.1\r\nhost: a\r\nnot a header\r\n\r\n",
        b"POST /v1/scans HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/scans HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
        b"POST https://a/v1/scans HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
)
def test_what_is_not_http_is_malformed(edge: Edge, request_bytes: bytes) -> None:
    assert statuses.from_json(_raw(edge, request_bytes)) == MALFORMED


@pytest.mark.parametrize(
    "headers", [{"x-long": "x" * 70_000}, {f"x-{number}": "1" for number in range(300)}], ids=["long", "many"]
)
def test_headers_too_large_to_be_read_are_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    refusal = statuses.from_json(client.get("/v1/companies", headers=headers))
    assert refusal == Refusal(413, "REQUEST_TOO_LARGE", "the request headers are too large", None, None)


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def either_client(edge: Edge, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    h2 = request.param == "HTTP/2"
    with edge.client(http1=not h2, http2=h2, headers=doorkeepers.GOOD_KEY) as client:
        yield client


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_too_large(
    either_client: httpx.Client, ingest: Dummy, *, chunked: bool
) -> None:
    body = b'{"scanId":"' + b"a" * BODY_LIMIT + b'"}'
    answer = either_client.post("/v1/scans", content=iter([body]) if chunked else body)
    assert statuses.from_json(answer) == TOO_LARGE
    assert not ingest.calls


def test_a_body_at_the_limit_is_taken(either_client: httpx.Client, ingest: Dummy) -> None:
    frame = len(b'{"scanId":""}')
    answer = either_client.post("/v1/scans", content=b'{"scanId":"' + b"a" * (BODY_LIMIT - frame) + b'"}')
    assert answer.status_code == httpx.codes.OK
    assert len(ingest.calls[0].request.scan.scan_id) == BODY_LIMIT - frame


def test_a_native_message_over_the_limit_is_the_services_to_refuse(
    channel: grpc.Channel, ingest: Dummy
) -> None:
    ingest.replies["SubmitScan"] = dummies.refuse(
        grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", "too large"
    )
    request = ingest_pb2.SubmitScanRequest(scan=scan_pb2.Scan(scan_id="a" * (BODY_LIMIT - 100)))
    refusal = _refused(channel, request)
    assert refusal == Refusal(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", "too large", None, None)


@pytest.mark.parametrize("size", [2 * BODY_LIMIT, 3 * BODY_LIMIT])
def test_a_native_message_no_service_would_read_is_too_large(
    channel: grpc.Channel, ingest: Dummy, size: int
) -> None:
    """gRPC's library would refuse it as RESOURCE_EXHAUSTED, without a reason or a delay."""
    request = ingest_pb2.SubmitScanRequest(scan=scan_pb2.Scan(scan_id="a" * size))
    text = "the message is larger than 4194304 bytes"
    refusal = _refused(channel, request)
    assert refusal == Refusal(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", text, None, None)
    assert not ingest.calls


def test_without_the_service_callers_are_told_to_come_back(start_edge: EdgeStarter) -> None:
    with start_edge(ingest=envoys.free_ports(1)) as edge:
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
        with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
            native = _refused(channel)
    assert statuses.from_json(answer) == UNAVAILABLE
    assert native == Refusal(
        grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "try again later", "1s", "1"
    )


def test_a_call_cut_off_by_its_service_may_be_sent_again(start_edge: EdgeStarter) -> None:
    with dummies.serving(dummies.READY["ingest"]) as dying, start_edge(ingest=[dying.port]) as edge:
        dying.replies["SubmitScan"] = lambda *_: dying.die()
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
    assert statuses.from_json(answer) == UNAVAILABLE


def test_a_service_that_hangs_ends_in_a_deadline(start_edge: EdgeStarter, ingest: Dummy) -> None:
    def impatient(config: dict[str, Any]) -> None:
        for route in envoys.http(config)["route_config"]["virtual_hosts"][0]["routes"]:
            if "timeout" in route.get("route", {}):
                route["route"]["timeout"] = "0.1s"

    held = threading.Event()
    ingest.replies["SubmitScan"] = ingest.replies["SubmitLegacyScan"] = dummies.hold(held, seconds=5)
    with start_edge(change=impatient) as edge:
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
        legacy = edge.post("/api/scan", json={}, headers=doorkeepers.GOOD_KEY)
        with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
            native = _refused(channel)
        held.set()
    assert statuses.from_json(answer) == LATE
    assert statuses.from_legacy(legacy) == Refusal(504, "DEADLINE_EXCEEDED", "no answer in time", None, "1")
    assert native == Refusal(
        grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "no answer in time", "1s", "1"
    )


def test_a_request_that_trickles_in_times_out(start_edge: EdgeStarter) -> None:
    def impatient(config: dict[str, Any]) -> None:
        manager = envoys.http(config)
        manager["request_headers_timeout"] = "0.1s"
        assert "max_stream_duration" in manager["common_http_protocol_options"]
        manager["common_http_protocol_options"]["max_stream_duration"] = "0.2s"

    timed_out = Refusal(408, "REQUEST_TIMEOUT", "the request was not complete in time", "1s", "1")
    head = b"POST /v1/scans HTTP/1.1\r\nhost: a\r\nx-api-key: kmp_scanner_1_good\r\n"
    with start_edge(change=impatient) as edge:
        assert statuses.from_json(_raw(edge, head)) == timed_out
        assert statuses.from_json(_raw(edge, head + b"content-length: 9\r\n\r\n{")) == timed_out


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (grpc.StatusCode.UNAVAILABLE, UNAVAILABLE),
        (grpc.StatusCode.CANCELLED, UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, LATE),
        (grpc.StatusCode.INTERNAL, INTERNAL),
        (grpc.StatusCode.UNKNOWN, INTERNAL),
        (grpc.StatusCode.UNIMPLEMENTED, INTERNAL),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Refusal(429, "RATE_LIMITED", "try again later", "1s", "1")),
    ],
)
def test_a_bare_failure_gets_a_retry_delay(
    client: httpx.Client, ingest: Dummy, code: grpc.StatusCode, refusal: Refusal
) -> None:
    """What a gRPC library says for a service that cannot: without a delay a device would drop its scan."""
    ingest.replies["SubmitScan"] = lambda _, context: context.abort(code, "Stream removed")
    assert statuses.from_json(client.post("/v1/scans", json={})) == refusal


def test_a_bare_refusal_stays_a_refusal(client: httpx.Client, ingest: Dummy) -> None:
    ingest.replies["SubmitScan"] = lambda _, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
    answer = client.post("/v1/scans", json={})
    assert (answer.status_code, answer.json()["message"]) == (400, "no")
    assert "retry-after" not in answer.headers


def _refused(channel: grpc.Channel, request: ingest_pb2.SubmitScanRequest | None = None) -> Refusal:
    call = ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan
    return statuses.from_grpc(lambda: call(request or ingest_pb2.SubmitScanRequest(), metadata=NATIVE_KEY))


def _raw(edge: Edge, request: bytes) -> httpx.Response:
    """Send bytes as they are and read one answer."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            lines = iter(lambda: answer.readline().decode("ascii").strip(), "")
            headers = dict(line.split(": ", 1) for line in lines)
            body = answer.read(int(headers["content-length"]))
    return httpx.Response(status, headers=headers, content=body)
