"""POST /api/scan: the body gets through as it is, and every refusal has the old gateway's form."""

from __future__ import annotations

import json
import socket

import grpc
import httpx
import pytest

from tests.edge import dummies, statuses
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

BODIES = {
    "twenty digits": b'{"productId": 12345678901234567890, "price": 1.10}',
    "byte order mark": b'\xef\xbb\xbf{"productId": "a"}',
    "latin-1": '{"productId": "Größe"}'.encode("latin-1"),
    "spaces": b' {"productId" :\t"a" }\r\n',
    "not json": b"a,b,c",
    "zero bytes": b"\0\0",
    "empty": b"",
}


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded"]
)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_body_arrives_as_it_is(
    client: httpx.Client, ingest: Dummy, body: bytes, content_type: str | None
) -> None:
    answer = client.post(
        "/api/scan", content=body, headers={"content-type": content_type} if content_type else {}
    )
    assert answer.status_code == httpx.codes.OK
    assert ingest.calls[0].request.data == body


def test_the_answer_has_the_old_fields(client: httpx.Client) -> None:
    answer = client.post("/api/scan", content=b"{}")
    assert answer.json() == {"success": False, "scanId": "", "eventId": "", "message": ""}


def test_a_chunked_body_arrives_whole(client: httpx.Client, ingest: Dummy) -> None:
    client.post("/api/scan", content=iter([b'{"product', b'Id": 1}']))
    assert ingest.calls[0].request.data == b'{"productId": 1}'


def test_a_trailing_slash_does_not_matter(client: httpx.Client, ingest: Dummy) -> None:
    assert client.post("/api/scan/", content=b"{}").status_code == httpx.codes.OK
    assert ingest.calls[0].request.data == b"{}"


@pytest.mark.parametrize("host", [b"host: a\r\n", b""], ids=["host", "no host"])
def test_http_1_0_is_spoken(edge: Edge, ingest: Dummy, host: bytes) -> None:
    head = b"POST /api/scan HTTP/1.0\r\nx-api-key: kmp_scanner_1_good\r\ncontent-length: 2\r\n" + host
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as connection:
        connection.sendall(head + b"\r\n{}")
        assert b" 200 OK\r\n" in connection.recv(65536)
    assert ingest.calls[0].request.data == b"{}"


def test_a_refusal_by_auth_has_the_old_form(client: httpx.Client) -> None:
    answer = client.post("/api/scan", content=b"{}", headers={"x-api-key": "bad"})
    assert statuses.from_legacy(answer) == Refusal(401, "CREDENTIALS_INVALID", 'no such "key"', None, None)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "message", ["plain", 'say "hi" \\ to\nÜmläut\u2028', "", '"message": "x", "reason": "FAKE"']
)
def test_a_refusal_by_the_service_has_the_old_form(client: httpx.Client, ingest: Dummy, message: str) -> None:
    ingest.replies["SubmitLegacyScan"] = dummies.refuse(
        grpc.StatusCode.UNAVAILABLE, "NOT_DURABLE", message, retry_seconds=3
    )
    answer = client.post("/api/scan", content=b"{}")
    assert statuses.from_legacy(answer) == Refusal(503, "NOT_DURABLE", message, None, "3")


def test_a_bare_failure_of_the_service_has_the_old_form(client: httpx.Client, ingest: Dummy) -> None:
    ingest.replies["SubmitLegacyScan"] = lambda _, context: context.abort(grpc.StatusCode.UNKNOWN, "oops")
    refusal = statuses.from_legacy(client.post("/api/scan", content=b"{}"))
    assert refusal == Refusal(500, "INTERNAL", "internal error", None, "1")


def test_a_body_over_the_limit_has_the_old_form(client: httpx.Client, ingest: Dummy) -> None:
    answer = client.post("/api/scan", content=b"x" * (4 * 1024 * 1024 + 1))
    message = "the body is larger than 4194304 bytes"
    assert statuses.from_legacy(answer) == Refusal(413, "REQUEST_TOO_LARGE", message, None, None)
    assert not ingest.calls


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_another_method_has_the_old_form(client: httpx.Client, method: str) -> None:
    refusal = statuses.from_legacy(client.request(method, "/api/scan"))
    assert refusal == Refusal(404, "ROUTE_NOT_FOUND", "no such method and path", None, None)


def test_head_leaves_the_connection_usable(client: httpx.Client) -> None:
    """A body written after the head would be read as the next answer."""
    assert client.head("/api/scan").status_code == httpx.codes.NOT_FOUND
    assert json.loads(client.post("/api/scan", content=b"{}").content)["message"] == ""


def test_a_query_is_refused_in_the_old_form(client: httpx.Client) -> None:
    refusal = statuses.from_legacy(client.post("/api/scan?nope=1", content=b"{}"))
    assert (refusal.status, refusal.reason) == (400, "REQUEST_MALFORMED")
