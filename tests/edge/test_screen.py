"""What a caller's headers can do to a service, and to the other callers on the connection: nothing."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import httpx
import pytest
from h2.connection import H2Connection
from h2.events import StreamEnded
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from tests.edge import doorkeepers, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

SUBMIT = "/scanmesh.ingest.v1.IngestService/SubmitScan"
EMPTY = b"\0" * 5
"""The frame of an empty message."""
NATIVE = {"content-type": "application/grpc", "te": "trailers", **doorkeepers.GOOD_KEY}
CHECKED = [
    ("grpc-timeout", "x"),
    ("grpc-timeout", "5"),
    ("grpc-timeout", "123456789S"),
    ("grpc-timeout", "-1S"),
    ("grpc-encoding", "bogus"),
    ("grpc-encoding", "gzip,gzip"),
]
DROPPED = [
    ("foo-bin", "!!!"),
    ("grpc-trace-bin", "!"),
    ("grpc-tags-bin", "!"),
    ("lb-cost-bin", "AAAA"),
    ("lb-token", "x"),
    ("grpc-accept-encoding", "bogus"),
    ("grpc-internal-encoding-request", "bogus"),
    ("grpc-previous-rpc-attempts", "x"),
    ("grpc-retry-pushback-ms", "x"),
    ("grpc-status", "x"),
    ("grpc-message", "%"),
    ("not!a!grpc!key", "x"),
    ("x-unknown", "x"),
]
MALFORMED = "REQUEST_MALFORMED"
NOT_FOUND = Refusal(404, "ROUTE_NOT_FOUND", "no such method and path", None, None)


@pytest.fixture
def native(edge: Edge) -> Iterator[httpx.Client]:
    """A native caller that writes what a gRPC library would not."""
    with edge.client(http1=False, http2=True, headers=NATIVE) as client:
        yield client


@pytest.mark.parametrize(("name", "value"), CHECKED)
def test_a_header_grpc_could_not_parse_is_refused(
    native: httpx.Client, ingest: Dummy, name: str, value: str
) -> None:
    answer = native.post(SUBMIT, content=EMPTY, headers={name: value})
    assert statuses.from_headers(answer) == Refusal(3, MALFORMED, "malformed request", None, None)
    assert not ingest.calls


ODD = [
    *[(b"x-api-key", value) for value in (b"a\x01b", b"a\x7fb")],
    *[(b":path", value) for value in ("/v1/sc\xe4ns".encode(), b"/v1/scans?a=\xff")],
]


@pytest.mark.parametrize(("name", "value"), ODD, ids=range(len(ODD)))
def test_what_auths_parser_does_not_take_is_refused_in_form(
    edge: Edge, doorkeeper: Doorkeeper, name: bytes, value: bytes
) -> None:
    """Else its 400 would reach the caller."""
    told = {b":path": b"/v1/scans", b"x-api-key": b"a", name: value}
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\nx-api-key: %s\r\n\r\n"
            % (told[b":path"], told[b"x-api-key"])
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert b'"reason":"REQUEST_MALFORMED"' in answer
    assert not doorkeeper.questions


@pytest.mark.parametrize(("name", "value"), DROPPED)
def test_no_other_header_arrives(native: httpx.Client, ingest: Dummy, name: str, value: str) -> None:
    native.post(SUBMIT, content=EMPTY, headers={name: value})
    [call] = ingest.calls
    assert name not in call.metadata


@pytest.mark.parametrize(("name", "value"), [*CHECKED, *DROPPED, ("te", "gzip"), ("grpc-timeout", "1S")])
def test_json_callers_have_no_headers_of_grpc(
    client: httpx.Client, ingest: Dummy, name: str, value: str
) -> None:
    assert client.post("/v1/scans", json={}, headers={name: value}).status_code == httpx.codes.OK
    [call] = ingest.calls
    assert name not in call.metadata
    assert (call.time_remaining or 0) > 9.0, "the edge's deadline"


def test_a_service_sees_only_headers_of_the_list(client: httpx.Client, ingest: Dummy) -> None:
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "a=1"}
    client.post(
        "/v1/scans", json={}, headers={**trace, "cookie": "c", "user-agent": "u", "x-forwarded-for": "f"}
    )
    assert set(ingest.calls[0].metadata) <= {
        *("accept", "content-length", "x-request-id", "x-scanmesh-identity", *trace),
        *(
            "x-envoy-external-address",
            "x-envoy-original-method",
            "x-envoy-original-path",
            "x-forwarded-proto",
        ),
        *("grpc-accept-encoding", "user-agent"),
    }
    assert set(trace) <= set(ingest.calls[0].metadata)


@pytest.mark.parametrize("trailer", [("grpc-timeout", "x"), ("foo-bin", "!!!")])
def test_trailers_of_a_request_do_not_arrive(edge: Edge, ingest: Dummy, trailer: tuple[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as connection:
        h2 = H2Connection()
        h2.initiate_connection()
        pseudo = {":method": "POST", ":scheme": "http", ":authority": "a", ":path": SUBMIT}
        h2.send_headers(1, list((pseudo | NATIVE).items()))
        h2.send_data(1, EMPTY)
        h2.send_headers(1, [trailer], end_stream=True)
        connection.sendall(h2.data_to_send())
        while not any(isinstance(event, StreamEnded) for event in h2.receive_data(connection.recv(65536))):
            pass
    assert ingest.calls


def test_a_service_takes_a_header_it_cannot_parse_from_nobody_else(
    start_edge: EdgeStarter, ingest: Dummy
) -> None:
    """The second line: services keep no table of headers, so a bad one fails its own call only."""

    def unscreened(config: dict[str, Any]) -> None:
        manager = envoys.http(config)
        manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] != "screen"]

    with (
        start_edge(change=unscreened) as edge,
        edge.client(http1=False, http2=True, headers=NATIVE) as native,
    ):
        bad = native.post(SUBMIT, content=EMPTY, headers={"grpc-timeout": "x"})
        assert not ingest.calls
        native.post(SUBMIT, content=EMPTY, headers={"grpc-timeout": "5S"})
    assert bad.headers["grpc-status"] == "13"
    assert ingest.calls


def test_a_compressed_message_arrives(native: httpx.Client, ingest: Dummy) -> None:
    request = ingest_pb2.SubmitScanRequest(scan=scan_pb2.Scan(scan_id="a" * 1000))
    packed = gzip.compress(request.SerializeToString())
    frame = b"\1" + len(packed).to_bytes(4, "big") + packed
    native.post(SUBMIT, content=frame, headers={"grpc-encoding": "gzip"})
    assert ingest.calls[0].request == request


def test_a_compressing_client_is_served(channel: grpc.Channel, ingest: Dummy) -> None:
    request = ingest_pb2.SubmitScanRequest(scan=scan_pb2.Scan(scan_id="a" * 1000))
    submit = ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan
    submit(
        request, metadata=tuple(doorkeepers.GOOD_KEY.items()), compression=grpc.Compression.Gzip, timeout=5
    )
    assert ingest.calls[0].request == request


@pytest.mark.parametrize(("method", "path"), [("FOO", SUBMIT), ("GET", SUBMIT), ("POST", f"{SUBMIT}?a=b")])
def test_an_rpc_has_one_method_and_no_query(
    native: httpx.Client, ingest: Dummy, method: str, path: str
) -> None:
    answer = native.request(method, path, content=EMPTY)
    assert statuses.from_headers(answer) == Refusal(12, "ROUTE_NOT_FOUND", "no such method", None, None)
    assert not ingest.calls


def test_an_unknown_method_is_not_found(client: httpx.Client) -> None:
    assert statuses.from_json(client.request("FOO", "/v1/scans")) == NOT_FOUND


TOO_LARGE = {
    "long": {"x-long": "x" * 30_000},
    "a little": {"x-long": "x" * 16_384},
    "at the codec's limit": {"x-long": "x" * 60_000},
    "key": {"authorization": "Bearer " + "x" * 20_000},
    "many": {f"x-{number}": "1" for number in range(100)},
}


@pytest.mark.parametrize("headers", TOO_LARGE.values(), ids=TOO_LARGE)
def test_headers_over_the_limit_are_too_large(
    client: httpx.Client, native: httpx.Client, ingest: Dummy, headers: Mapping[str, str]
) -> None:
    text = "the request headers are too large"
    answer = client.post("/v1/scans", json={}, headers=headers)
    assert statuses.from_json(answer) == Refusal(413, "REQUEST_TOO_LARGE", text, None, None)
    answer = native.post(SUBMIT, content=EMPTY, headers=headers)
    assert statuses.from_headers(answer) == Refusal(3, "REQUEST_TOO_LARGE", text, None, None)
    assert not ingest.calls


WITHIN = {
    "long": {"x-long": "x" * 15_000},
    "many": {f"x-{number}": "1" for number in range(80)},
    "passed on": {"tracestate": "x" * 15_000},
    "host": {"host": "x" * 15_000},
    "repeated": [("traceparent", "x")] * 80,
}


@pytest.mark.parametrize("headers", WITHIN.values(), ids=WITHIN)
def test_headers_within_the_limit_are_taken(
    client: httpx.Client, native: httpx.Client, headers: Mapping[str, str] | list[tuple[str, str]]
) -> None:
    """Also by gRPC's library, which would refuse by chance what is too much for it."""
    for _ in range(5):
        assert client.post("/v1/scans", json={}, headers=headers).status_code == httpx.codes.OK
        assert "grpc-status" not in native.post(SUBMIT, content=EMPTY, headers=headers).headers


def test_a_long_query_is_refused_for_what_it_says(client: httpx.Client) -> None:
    refusal = statuses.from_json(client.get(f"/v1/companies?nope={'x' * 15_000}"))
    assert (refusal.status, refusal.reason) == (400, MALFORMED)
    assert client.get(f"/v1/companies?pageToken={'x' * 15_000}").status_code == httpx.codes.OK


@pytest.mark.parametrize("colon", ["%3A", "%3a"])
def test_an_escaped_colon_is_one(
    client: httpx.Client, stranger: httpx.Client, auth: Dummy, ingest: Dummy, colon: str
) -> None:
    assert client.post(f"/v1/scans{colon}batch?bulk=true", json={}).status_code == httpx.codes.OK
    assert ingest.calls[-1].method == "scanmesh.ingest.v1.IngestService/SubmitScans"
    assert stranger.post(f"/v1/sessions{colon}refresh", json={}).status_code == httpx.codes.OK
    client.get(f"/v1/companies/7/scanners/aa{colon}bb?pageToken=a%3Ab")
    client.get("/v1/companies?pageToken=a%3Ab%26")
    assert auth.calls[-1].request.page_token == "a:b&"


def test_an_escaped_colon_opens_no_route(stranger: httpx.Client, auth: Dummy, doorkeeper: Doorkeeper) -> None:
    """The route is chosen anew: what is asked without a credential is what is called."""
    answer = stranger.post("/v1/companies/7/scanners/s1%3ArotateApiKey", json={})
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert not auth.calls
    assert len(doorkeeper.questions) == 1
