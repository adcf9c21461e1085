"""Who the caller is: only auth says so, and nothing gets through without it."""

from __future__ import annotations

import json
import threading
from typing import Any

import grpc
import httpx
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from tests.edge import doorkeepers, dummies, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Answer, Doorkeeper, Question
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

BAD_KEY = {"x-api-key": "kmp_scanner_1_bad"}
FORGED = {
    "x-scanmesh-identity": "forged",
    "X-Scanmesh-Company": "9",
    "x-scanmesh-role-bin": "AAAA",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-original-method": "GET",
    "x-envoy-retry-on": "5xx",
    "x-request-id": "forged",
}
UNAVAILABLE = Refusal(503, "DEPENDENCY_UNAVAILABLE", "try again later", "1s", "1")


def test_only_auth_writes_an_identity(client: httpx.Client, ingest: Dummy) -> None:
    assert client.post("/v1/scans", json={}, headers=FORGED).status_code == httpx.codes.OK
    metadata = ingest.calls[0].metadata
    assert {key: value for key, value in metadata.items() if key.startswith("x-scanmesh-")} == {
        "x-scanmesh-identity": doorkeepers.IDENTITY
    }
    assert "forged" not in metadata.values()
    assert metadata["x-envoy-original-method"] == "POST"


def test_forged_identity_does_not_pass_a_public_route(stranger: httpx.Client, auth: Dummy) -> None:
    stranger.post("/v1/sessions", json={}, headers=FORGED)
    assert not [key for key in auth.calls[0].metadata if key.startswith("x-scanmesh-")]


def test_forged_identity_does_not_pass_over_grpc(channel: grpc.Channel, ingest: Dummy) -> None:
    forged = [(key.lower(), b"x" if key.endswith("-bin") else value) for key, value in FORGED.items()]
    stub = ingest_pb2_grpc.IngestServiceStub(channel)
    stub.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=(*forged, *doorkeepers.GOOD_KEY.items()))
    metadata = ingest.calls[0].metadata
    assert metadata["x-scanmesh-identity"] == doorkeepers.IDENTITY
    assert not {"x-scanmesh-company", "x-scanmesh-role-bin"} & set(metadata)


def test_an_envoy_header_does_not_shorten_the_deadline(client: httpx.Client, ingest: Dummy) -> None:
    """A peer on loopback counts as internal, and Envoy would obey it."""
    ingest.replies["SubmitScan"] = dummies.hold(threading.Event(), seconds=0.1)
    assert client.post("/v1/scans", json={}, headers=FORGED).status_code == httpx.codes.OK


def test_a_native_caller_does_not_pass_for_the_transcoder(channel: grpc.Channel, edge: Edge) -> None:
    call: Any = channel.unary_unary("/scanmesh.auth.v1.CompanyService/Nope")
    forged = (("x-envoy-original-method", "GET"), ("x-envoy-original-path", "/forged"))
    assert statuses.from_grpc(lambda: call(b"", metadata=forged)).message == "no such method"
    assert "/forged" not in _log_with(edge, '"/scanmesh.auth.v1.CompanyService/Nope"')


def test_a_header_with_an_underscore_is_refused(client: httpx.Client, ingest: Dummy) -> None:
    """Some servers read it as a dash."""
    answer = client.post("/v1/scans", json={}, headers={"x_scanmesh_identity": "forged"})
    assert statuses.from_json(answer) == Refusal(400, "REQUEST_MALFORMED", "malformed request", None, None)
    assert not ingest.calls


def test_credentials_stay_at_the_edge(client: httpx.Client, auth: Dummy, ingest: Dummy) -> None:
    credentials = {"authorization": "Bearer secret", **doorkeepers.GOOD_KEY}
    client.post("/v1/scans", json={}, headers=credentials)
    client.post("/v1/sessions", json={}, headers=credentials)
    for call in (ingest.calls[-1], auth.calls[-1]):
        assert not set(credentials) & set(call.metadata)


def test_auth_is_told_what_it_needs_and_no_more(client: httpx.Client, doorkeeper: Doorkeeper) -> None:
    headers = {"authorization": "Bearer b", "cookie": "c=1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    client.post("/v1/scans?bulk=true", content=b'{"scanId": "a"}', headers=headers)
    [question] = doorkeeper.questions
    told = {"x-api-key", "authorization", "traceparent", "x-request-id", "x-envoy-external-address"}
    envoys_own = {"host", "content-length", "x-envoy-internal", "x-envoy-expected-rq-timeout-ms"}
    assert set(question.headers) - envoys_own == told
    assert (question.method, question.path, question.body) == ("POST", "/v1/scans?bulk=true", "")


@pytest.mark.parametrize(("hops", "address"), [(0, "127.0.0.1"), (1, "198.51.100.7")])
def test_auth_is_told_the_clients_address(
    start_edge: EdgeStarter, doorkeeper: Doorkeeper, hops: int, address: str
) -> None:
    """For the companies that allow certain networks only; what a client itself claims does not count."""

    def behind_balancers(config: dict[str, Any]) -> None:
        envoys.http(config)["xff_num_trusted_hops"] = hops

    claims = {"x-forwarded-for": "203.0.113.9,198.51.100.7", "x-envoy-external-address": "203.0.113.9"}
    with start_edge(change=behind_balancers) as edge:
        edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY | claims)
    assert doorkeeper.questions[0].headers["x-envoy-external-address"] == address


def test_a_denial_reaches_a_json_caller_in_auths_words(client: httpx.Client, ingest: Dummy) -> None:
    answer = client.post("/v1/scans", json={}, headers=BAD_KEY)
    assert statuses.from_json(answer) == Refusal(401, "CREDENTIALS_INVALID", 'no such "key"', None, None)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not ingest.calls


def test_a_denial_reaches_a_native_caller_in_auths_words(channel: grpc.Channel, ingest: Dummy) -> None:
    stub = ingest_pb2_grpc.IngestServiceStub(channel)
    request = ingest_pb2.SubmitScanRequest()
    refusal = statuses.from_grpc(lambda: stub.SubmitScan(request, metadata=tuple(BAD_KEY.items())))
    assert (refusal.status, refusal.message) == (grpc.StatusCode.UNAUTHENTICATED, 'no such "key"')
    assert not ingest.calls


def test_auths_own_trouble_closes_the_edge(
    client: httpx.Client, doorkeeper: Doorkeeper, ingest: Dummy
) -> None:
    doorkeeper.reply = lambda _: Answer(503, {"retry-after": "9"}, "no database")
    assert statuses.from_json(client.post("/v1/scans", json={})) == UNAVAILABLE
    assert not ingest.calls


def test_nothing_of_a_strangers_body_is_read(stranger: httpx.Client) -> None:
    answer = stranger.post("/v1/scans", content=b"{not json")
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_a_broken_check_closes_the_edge(client: httpx.Client, doorkeeper: Doorkeeper, ingest: Dummy) -> None:
    doorkeeper.reply = lambda _: Answer(500)
    assert statuses.from_json(client.post("/v1/scans", json={})) == UNAVAILABLE
    assert not ingest.calls


def test_a_check_sets_no_foreign_header(client: httpx.Client, doorkeeper: Doorkeeper, ingest: Dummy) -> None:
    def overreaching(question: Question) -> Answer:
        answer = doorkeepers.check(question)
        return Answer(answer.status, {**answer.headers, "x-request-id": "auths", "x-scanmesh-role": "admin"})

    doorkeeper.reply = overreaching
    assert client.post("/v1/scans", json={}).status_code == httpx.codes.OK
    metadata = ingest.calls[0].metadata
    assert metadata["x-request-id"] != "auths"
    assert [key for key in metadata if key.startswith("x-scanmesh-")] == ["x-scanmesh-identity"]


def test_without_auth_the_edge_is_closed(start_edge: EdgeStarter, ingest: Dummy) -> None:
    with start_edge(auth_check=envoys.free_ports(1)) as edge:
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
        legacy = edge.post("/api/scan", json={}, headers=doorkeepers.GOOD_KEY)
        with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
            call = ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan
            metadata = tuple(doorkeepers.GOOD_KEY.items())
            native = statuses.from_grpc(lambda: call(ingest_pb2.SubmitScanRequest(), metadata=metadata))
    assert statuses.from_json(answer) == UNAVAILABLE
    assert statuses.from_legacy(legacy) == Refusal(
        503, "DEPENDENCY_UNAVAILABLE", "try again later", None, "1"
    )
    assert native == Refusal(
        grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "try again later", "1s", "1"
    )
    assert not ingest.calls


def test_a_slow_check_closes_the_edge(start_edge: EdgeStarter, doorkeeper: Doorkeeper, ingest: Dummy) -> None:
    def impatient(config: dict[str, Any]) -> None:
        filters = {one["name"]: one for one in envoys.http(config)["http_filters"]}
        filters["ext_authz"]["typed_config"]["http_service"]["server_uri"]["timeout"] = "0.1s"

    held = threading.Event()

    def slow(question: Question) -> Answer:
        held.wait(5)
        return doorkeepers.check(question)

    doorkeeper.reply = slow
    with start_edge(change=impatient) as edge:
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
    held.set()
    assert statuses.from_json(answer) == UNAVAILABLE
    assert not ingest.calls


def test_a_request_has_one_id_everywhere(
    client: httpx.Client, doorkeeper: Doorkeeper, ingest: Dummy, edge: Edge
) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    answer = client.post("/v1/scans", json={}, headers={"traceparent": trace})
    request_id = answer.headers["x-request-id"]
    assert ingest.calls[0].metadata["x-request-id"] == request_id
    assert ingest.calls[0].metadata["traceparent"] == trace
    assert doorkeeper.questions[0].headers["x-request-id"] == request_id
    line = _logged(edge, request_id)
    assert (line["status"], line["path"], line["traceparent"]) == (200, "/v1/scans", trace)


def test_the_access_log_holds_no_secret(client: httpx.Client, edge: Edge) -> None:
    headers = {"authorization": "Bearer hush-1", "cookie": "hush-2"}
    answer = client.post("/v1/sessions?token=hush-3", content=b'{"password": hush-4}', headers=headers)
    assert _logged(edge, answer.headers["x-request-id"])["status"] == httpx.codes.BAD_REQUEST
    answer = client.get("/v1/companies/7/scanners/s1?companyId=9&x=hush-5", headers=headers)
    _logged(edge, answer.headers["x-request-id"])
    text = edge.log.read_text("utf-8")
    assert "hush" not in text
    assert doorkeepers.GOOD_KEY["x-api-key"] not in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_credential(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == httpx.codes.OK


def _logged(edge: Edge, request_id: str) -> dict[str, Any]:
    lines = map(json.loads, _log_with(edge, f'"{request_id}"').splitlines())
    [line] = [line for line in lines if line["request_id"] == request_id]
    assert isinstance(line, dict)
    return line


def _log_with(edge: Edge, text: str) -> str:
    """Return the access log once a whole line of it has `text`."""

    def whole() -> str:
        return edge.log.read_text("utf-8").rpartition("\n")[0]

    envoys.until(lambda: text in whole(), seconds=5, what=f"the access log has {text}")
    return whole()
