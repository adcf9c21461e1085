"""The TLS listener: the same edge, by TLS 1.3 alone."""

from __future__ import annotations

import socket
import ssl

import grpc
import httpx
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from tests.edge import doorkeepers, statuses
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge, Files


@pytest.mark.parametrize("h2", [True, False])
def test_json_over_tls(edge: Edge, files: Files, ingest: Dummy, *, h2: bool) -> None:
    trust = ssl.create_default_context(cafile=str(files.certificate))
    with httpx.Client(base_url=f"https://127.0.0.1:{edge.tls_port}", verify=trust, http2=h2) as client:
        answer = client.post("/v1/scans", json={"scanId": "a"}, headers=doorkeepers.GOOD_KEY)
        unknown = client.get("/nope")
    assert (answer.http_version, answer.status_code) == ("HTTP/2" if h2 else "HTTP/1.1", httpx.codes.OK)
    assert statuses.from_json(unknown).reason == "ROUTE_NOT_FOUND"
    assert ingest.calls[0].request.scan.scan_id == "a"


def test_native_grpc_over_tls(edge: Edge, files: Files, ingest: Dummy) -> None:
    credentials = grpc.ssl_channel_credentials(files.certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{edge.tls_port}", credentials) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        stub.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=tuple(doorkeepers.GOOD_KEY.items()))
    assert ingest.calls


def test_tls_1_3_is_spoken(edge: Edge, files: Files) -> None:
    assert _version(edge, files, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def test_tls_1_2_is_refused(edge: Edge, files: Files) -> None:
    with pytest.raises(ssl.SSLError):
        _version(edge, files, ssl.TLSVersion.TLSv1_2)


def _version(edge: Edge, files: Files, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(files.certificate))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", edge.tls_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.version()
