"""JetStream down: scans are refused with a retry delay, none is half-accepted, and it comes back by itself."""

from __future__ import annotations

import os
import signal

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2

from tests.system.actors import (
    Device,
    Http,
    eventually,
    refuses_natively,
    scan,
    scan_message,
)
from tests.system.inspector import stored_scans, waiting_scans


@pytest.fixture
def jetstream_down(mesh, device: Device):
    assert device.submit(scan()).status == 200  # the device is known: identity is not what fails
    mesh.hold("nats")
    yield
    mesh.release("nats")
    eventually(lambda: device.submit(scan()).status == 200, seconds=15, what="scans are accepted again")


def test_scans_are_refused_and_nothing_is_stored(mesh, device: Device, jetstream_down) -> None:
    single, first, second, native = scan(), scan(), scan(), scan_message()
    answer = device.submit(single)
    assert (answer.status, answer.reason) == (503, "NOT_DURABLE")
    assert answer.retry_delay
    batch = device.http.post("/v1/scans:batch", {"scans": [first, second]})
    assert (batch.status, batch.reason) == (503, "NOT_DURABLE")
    assert batch.retry_delay
    mixed = device.http.post("/v1/scans:batch", {"scans": [scan(scanId="bad"), first]})
    assert mixed.status == 200
    assert mixed.body["acceptedCount"] == "0"
    assert [rejection["reason"] for rejection in mixed.body["rejections"]] == [
        "INVALID_ARGUMENT",
        "NOT_DURABLE",
    ]
    assert mixed.body["rejections"][1]["retryDelay"]
    legacy = device.http.post("/api/scan", {"productId": "A"})
    assert (legacy.status, legacy.body["success"], legacy.body["error"]) == (503, False, "NOT_DURABLE")
    assert "retry-after" in legacy.headers
    refuses_natively(device, native, "NOT_DURABLE")
    mesh.release("nats")
    eventually(lambda: device.submit(scan()).status == 200, seconds=15, what="scans are accepted again")
    ids = [single["scanId"], first["scanId"], second["scanId"], native.scan_id]
    assert stored_scans(mesh.describe(), *ids) == []


def test_readyz_tells_and_healthz_does_not(mesh, device: Device, jetstream_down) -> None:
    edge = Http(mesh.describe()["edge"]["http"])
    eventually(lambda: edge.get("/readyz").status == 503, seconds=10, what="/readyz says 503")
    assert edge.get("/healthz").status == 200
    mesh.release("nats")
    eventually(lambda: edge.get("/readyz").status == 200, seconds=15, what="/readyz says 200 again")


def test_publish_that_meets_a_stopped_server_is_accepted_once_it_goes_on(mesh, device: Device) -> None:
    """Unknown is not refused: the same bytes go out again under the same id, and are stored once."""
    mesh.hold("ingest-recorder")  # what is in the stream stays there to be counted
    [pid] = mesh.describe()["processes"]["nats"]
    body = scan()
    with device.stub() as stub:
        os.kill(pid, signal.SIGSTOP)
        try:
            request = ingest_pb2.SubmitScanRequest(scan=scan_message(scan_id=body["scanId"]))
            call = stub.SubmitScan.future(request, metadata=device.metadata)
            with pytest.raises(grpc.FutureTimeoutError):
                call.result(timeout=2.5)  # long enough for a second attempt
        finally:
            os.kill(pid, signal.SIGCONT)
        assert call.result(timeout=10).scan_id == body["scanId"]
    assert len(waiting_scans(mesh.describe(), body["scanId"])) == 1
    mesh.release("ingest-recorder")
    assert len(stored_scans(mesh.describe(), body["scanId"])) == 1
