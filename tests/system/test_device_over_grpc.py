"""Firmware with the wheel's generated stub: native gRPC through the edge, plain and over TLS."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from services.chassis.errors import RETRY_AFTER_KEY
from tests.system.actors import GTIN, Device, batch_request, error_info, scan_message
from tests.system.inspector import stored_scans


def test_single_scan_and_batch_are_accepted(description, device: Device) -> None:
    single, first, second = scan_message(), scan_message(), scan_message()
    with device.stub() as stub:
        one = stub.SubmitScan(ingest_pb2.SubmitScanRequest(scan=single), metadata=device.metadata)
        many = stub.SubmitScans(batch_request(first, second), metadata=device.metadata)
    assert one.scan_id == single.scan_id
    assert one.accept_time.seconds
    assert (many.accepted_count, list(many.rejections)) == (2, [])
    assert len(stored_scans(description, single.scan_id, first.scan_id, second.scan_id)) == 3


def test_tls_with_the_meshs_own_ca(description, device: Device) -> None:
    credentials = grpc.ssl_channel_credentials(Path(description["edge"]["ca"]).read_bytes())
    with grpc.secure_channel(description["edge"]["https"].removeprefix("https://"), credentials) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        answer = stub.SubmitScan(ingest_pb2.SubmitScanRequest(scan=scan_message()), metadata=device.metadata)
    assert answer.accept_time.seconds


def test_violations_come_as_details(device: Device) -> None:
    request = ingest_pb2.SubmitScanRequest(
        scan=scan_pb2.Scan(scan_id="x", barcode=scan_pb2.Barcode(data=GTIN))
    )
    with device.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.SubmitScan(request, metadata=device.metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).reason == "INVALID_ARGUMENT"
    assert "scan_id" in caught.value.details()


def test_batch_rejections_come_with_their_index(device: Device) -> None:
    with device.stub() as stub:
        answer = stub.SubmitScans(batch_request(scan_pb2.Scan(), scan_message()), metadata=device.metadata)
    assert answer.accepted_count == 1
    [rejection] = answer.rejections
    assert (rejection.index, rejection.reason) == (0, "INVALID_ARGUMENT")
    assert {violation.field for violation in rejection.violations} == {"scan_id", "payload"}
    assert not rejection.HasField("retry_delay")


def test_request_over_four_mebibytes_is_invalid(device: Device) -> None:
    """RESOURCE_EXHAUSTED, gRPC's own answer, would make a device retry for ever."""
    request = batch_request(scan_message(location="x" * (4 * 1024 * 1024)))
    with device.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.SubmitScans(request, metadata=device.metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).reason == "REQUEST_TOO_LARGE"


def test_bytes_that_are_no_message_are_malformed(device: Device) -> None:
    with grpc.insecure_channel(device.base.removeprefix("http://")) as channel:
        call = channel.unary_unary("/scanmesh.ingest.v1.IngestService/SubmitScan")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff", metadata=device.metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).reason == "REQUEST_MALFORMED"


def test_missing_key_is_unauthenticated(device: Device) -> None:
    with device.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.SubmitScan(ingest_pb2.SubmitScanRequest(scan=scan_message()))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert error_info(caught.value).reason == "CREDENTIALS_INVALID"
    assert RETRY_AFTER_KEY not in dict(caught.value.trailing_metadata())


def test_unknown_method_is_unimplemented(device: Device) -> None:
    with grpc.insecure_channel(device.base.removeprefix("http://")) as channel:
        call = channel.unary_unary("/scanmesh.ingest.v1.IngestService/Nope")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", metadata=device.metadata)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_is_answered_at_the_edge(description) -> None:
    with grpc.insecure_channel(description["edge"]["http"].removeprefix("http://")) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
