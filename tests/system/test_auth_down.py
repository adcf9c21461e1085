"""`auth` down: the edge fails closed, with a retry delay, for every kind of caller."""

from __future__ import annotations

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2

from services.chassis.errors import RETRY_AFTER_KEY
from tests.system.actors import Device, Http, eventually, scan, scan_message


@pytest.fixture
def auth_down(mesh, device: Device):
    assert device.submit(scan()).status == 200
    mesh.hold("auth")
    yield
    mesh.release("auth")
    eventually(lambda: device.submit(scan()).status == 200, seconds=15, what="scans are accepted again")


def test_edge_fails_closed(mesh, device: Device, auth_down) -> None:
    answer = device.submit(scan())
    assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
    assert answer.retry_delay
    legacy = device.http.post("/api/scan", {"productId": "A"})
    assert (legacy.status, legacy.body["success"], legacy.body["error"]) == (
        503,
        False,
        "DEPENDENCY_UNAVAILABLE",
    )
    assert "retry-after" in legacy.headers
    session = Http(device.base).post("/v1/sessions", {"email": "a@example.com", "password": "x"})
    assert session.status == 503
    assert session.retry_delay
    with device.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.SubmitScan(ingest_pb2.SubmitScanRequest(scan=scan_message()), metadata=device.metadata)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert RETRY_AFTER_KEY in {
        key for key, _ in (*caught.value.initial_metadata(), *caught.value.trailing_metadata())
    }
    assert Http(mesh.describe()["edge"]["http"]).get("/healthz").status == 200
