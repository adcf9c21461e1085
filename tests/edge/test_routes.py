"""Which calls get through, and what the service sees of them."""

from __future__ import annotations

from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from scanmesh.auth.v1 import auth_pb2
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from tests.edge import doorkeepers, dummies, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

NATIVE_KEY = tuple(doorkeepers.GOOD_KEY.items())
NOT_FOUND = Refusal(404, "ROUTE_NOT_FOUND", "no such method and path", None, None)
UNIMPLEMENTED = Refusal(grpc.StatusCode.UNIMPLEMENTED, "ROUTE_NOT_FOUND", "no such method", None, None)


def test_json_becomes_the_request(client: httpx.Client, ingest: Dummy) -> None:
    answer = client.post("/v1/scans?bulk=true", json={"scanId": "a", "barcode": {"data": "4006381333931"}})
    assert answer.status_code == httpx.codes.OK
    assert ingest.calls[0].request == ingest_pb2.SubmitScanRequest(
        scan=scan_pb2.Scan(scan_id="a", barcode=scan_pb2.Barcode(data="4006381333931")), bulk=True
    )


def test_primitive_fields_are_always_printed(client: httpx.Client) -> None:
    assert client.post("/v1/scans:batch", json={}).json() == {"acceptedCount": "0", "rejections": []}


def test_native_grpc_gets_through(channel: grpc.Channel, ingest: Dummy) -> None:
    request = ingest_pb2.SubmitScansRequest(bulk=True)
    ingest_pb2_grpc.IngestServiceStub(channel).SubmitScans(request, metadata=NATIVE_KEY)
    assert ingest.calls[0].request == request


def test_h2c_carries_json(edge: Edge, ingest: Dummy) -> None:
    with edge.client(http1=False, http2=True, headers=doorkeepers.GOOD_KEY) as client:
        answer = client.post("/v1/scans", json={"scanId": "a"})
    assert (answer.http_version, answer.status_code) == ("HTTP/2", httpx.codes.OK)
    assert ingest.calls


@pytest.mark.parametrize("content_type", ["application/grpc-web+proto", "application/grpc-web"])
def test_grpc_web_gets_through(client: httpx.Client, ingest: Dummy, content_type: str) -> None:
    message = ingest_pb2.SubmitScansRequest(bulk=True).SerializeToString()
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    path = "/scanmesh.ingest.v1.IngestService/SubmitScans"
    answer = client.post(path, content=frame, headers={"content-type": content_type})
    assert b"grpc-status:0\r\n" in answer.content
    assert ingest.calls[0].request.bulk


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nope"),
        ("GET", "/v1/documents"),  # a service of a later day
        ("POST", "/v1/plans"),
        ("DELETE", "/v1/scans"),
        ("HEAD", "/v1/companies/1"),
        ("PUT", "/v1/sessions"),
        ("POST", "/v1/scans:nope"),
        ("GET", "/"),
        ("GET", "/nope?api=/v1/scans"),
        ("POST", "/scanmesh.ingest.v1.IngestService/SubmitScan"),
        ("POST", "/envoy.service.auth.v3.Authorization/Check"),
    ],
)
def test_other_methods_and_paths_do_not_exist(
    client: httpx.Client, auth: Dummy, ingest: Dummy, method: str, path: str
) -> None:
    answer = client.request(method, path, json={})
    if method == "HEAD":
        assert answer.status_code == httpx.codes.NOT_FOUND
    else:
        assert statuses.from_json(answer) == NOT_FOUND
    assert not ingest.calls
    assert not auth.calls


def test_a_head_request_leaves_the_connection_usable(client: httpx.Client) -> None:
    assert client.head("/v1/scans").status_code == httpx.codes.NOT_FOUND
    assert client.post("/v1/scans", json={}).status_code == httpx.codes.OK


@pytest.mark.parametrize("path", ["/envoy.service.auth.v3.Authorization/Check", "/check/v1/scans"])
def test_check_is_not_public(channel: grpc.Channel, auth: Dummy, doorkeeper: Doorkeeper, path: str) -> None:
    assert statuses.from_grpc(lambda: _call(channel, path)) == UNIMPLEMENTED
    assert not auth.calls
    assert not doorkeeper.questions


def test_an_unknown_method_is_refused_before_auth_has_to_understand_it(
    client: httpx.Client, stranger: httpx.Client, doorkeeper: Doorkeeper
) -> None:
    for caller in (client, stranger):
        assert statuses.from_json(caller.request("FOO", "/v1/scans")) == NOT_FOUND
    assert not doorkeeper.questions


def test_reflection_is_not_public(channel: grpc.Channel) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    refusal = statuses.from_grpc(lambda: list(stub.ServerReflectionInfo(iter(requests), metadata=NATIVE_KEY)))
    assert refusal == UNIMPLEMENTED


def test_grpc_on_an_http_path_is_unimplemented(channel: grpc.Channel, ingest: Dummy) -> None:
    assert statuses.from_grpc(lambda: _call(channel, "/v1/scans")) == UNIMPLEMENTED
    assert not ingest.calls


@pytest.mark.parametrize("path", ["/v1/scans", "/v1/companies", "/api/scan"])
def test_no_content_type_leads_around_ext_authz(
    stranger: httpx.Client, doorkeeper: Doorkeeper, ingest: Dummy, path: str
) -> None:
    """Routes take `application/grpc*` for gRPC; the transcoder is stricter and would take some of it for JSON."""
    for content_type in (
        "application/grpcx",
        "application/grpc-web-x",
        "application/grpc; x",
        "application/grpc+json",
    ):
        stranger.post(path, content=b"{}", headers={"content-type": content_type})
    assert not ingest.calls
    assert not doorkeeper.questions


def test_an_rpc_that_is_not_listed_is_reached_by_no_path(start_edge: EdgeStarter, ingest: Dummy) -> None:
    rpc = "/scanmesh.ingest.v1.IngestService/SubmitScan"

    def unlist(config: dict[str, object]) -> None:
        host = envoys.http(config)["route_config"]["virtual_hosts"][0]
        host["routes"] = [route for route in host["routes"] if route["match"].get("path") != rpc]

    with start_edge(change=unlist) as edge:
        answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
        with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
            refusal = statuses.from_grpc(lambda: _call(channel, rpc))
    assert statuses.from_json(answer) == NOT_FOUND
    assert refusal == UNIMPLEMENTED
    assert not ingest.calls


def test_health_is_public_and_answered_by_ingest(channel: grpc.Channel, ingest: Dummy) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=dummies.READY["ingest"])
    assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
    watch = statuses.from_grpc(lambda: list(stub.Watch(request, metadata=NATIVE_KEY)))
    assert watch == UNIMPLEMENTED, "an open stream without a credential"


def test_sessions_and_keys_need_no_credential(stranger: httpx.Client, auth: Dummy) -> None:
    assert stranger.post("/v1/sessions", json={"email": "a@b.c"}).status_code == httpx.codes.OK
    assert stranger.post("/v1/sessions:refresh", json={}).status_code == httpx.codes.OK
    assert stranger.get("/.well-known/jwks.json").status_code == httpx.codes.OK
    assert [call.method.partition("/")[2] for call in auth.calls] == [
        "CreateSession",
        "RefreshSession",
        "GetJwks",
    ]


def test_ending_a_session_needs_a_credential(stranger: httpx.Client) -> None:
    assert stranger.delete("/v1/sessions/current").status_code == httpx.codes.UNAUTHORIZED


def test_a_query_overrides_the_path(client: httpx.Client, auth: Dummy) -> None:
    """Why services authorise on the decoded message, and never on the path."""
    client.get("/v1/companies/7/scanners/s1?scannerId=s2&companyId=9")
    assert auth.calls[-1].request == auth_pb2.GetScannerRequest(company_id=9, scanner_id="s2")


def test_an_update_mask_is_taken_from_the_query(client: httpx.Client, auth: Dummy) -> None:
    client.patch("/v1/companies/7?updateMask=displayName", json={"displayName": "Seven"})
    request = auth.calls[-1].request
    assert (request.company_id, list(request.update_mask.paths)) == (7, ["display_name"])


def test_scanner_ids_may_hold_colons(client: httpx.Client, auth: Dummy) -> None:
    client.post("/v1/companies/7/scanners/aa:bb:cc:dd:ee:ff:rotateApiKey", json={})
    assert auth.calls[-1].method == "scanmesh.auth.v1.ScannerService/RotateApiKey"
    assert auth.calls[-1].request.scanner_id == "aa:bb:cc:dd:ee:ff"


def test_the_descriptor_set_knows_every_detail_of_an_error(
    edge: Edge, client: httpx.Client, ingest: Dummy
) -> None:
    """Envoy answers an empty body for an error detail it does not know."""
    ingest.replies["SubmitScan"] = dummies.refuse(
        grpc.StatusCode.UNAVAILABLE, "NOT_DURABLE", "later", retry_seconds=7
    )
    refusal = statuses.from_json(client.post("/v1/scans", json={}))
    assert refusal == Refusal(503, "NOT_DURABLE", "later", "7s", "7")


@pytest.mark.parametrize("path", [path for path, http in dummies.rpcs().items() if http])
def test_every_rpc_with_an_http_path_is_reached_natively(
    channel: grpc.Channel, services: dict[str, Dummy], path: str
) -> None:
    _call(channel, path)
    assert services[path.split(".")[1]].calls[-1].method == path.removeprefix("/")


@pytest.mark.parametrize("path", [path for path, http in dummies.rpcs().items() if not http])
def test_an_internal_rpc_is_reached_by_no_path(
    channel: grpc.Channel, client: httpx.Client, services: dict[str, Dummy], path: str
) -> None:
    assert statuses.from_grpc(lambda: _call(channel, path)) == UNIMPLEMENTED
    assert statuses.from_json(client.post(path, json={})) == NOT_FOUND
    assert not services[path.split(".")[1]].calls


def _call(channel: grpc.Channel, path: str) -> None:
    """Call an RPC with an empty message, which is one of every type."""
    call: Any = channel.unary_unary(path)
    call(b"", metadata=NATIVE_KEY)
