"""Headers that only the mesh itself may set are worth nothing from outside."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis import clock
from services.chassis.identity import METADATA_KEY, Identity, Role, Signer
from tests.system.actors import Device, Http, error_info, scan, scan_message


@pytest.fixture
def genuine(signing_key: Path, device: Device) -> str:
    """A token with a true signature, as an insider who could sign would send it."""
    identity = Identity(device.company_id, device.scanner_id, Role.SCANNER, "standard", "local", key_id="k")
    return Signer.from_pem(signing_key).sign(identity, clock.now())


def test_identity_header_without_a_key_is_401(device: Device, genuine: str) -> None:
    answer = Http(device.base, {METADATA_KEY: genuine}).post("/v1/scans", scan())
    assert (answer.status, answer.reason) == (401, "CREDENTIALS_INVALID")


def test_identity_header_beside_a_key_is_dropped(device: Device) -> None:
    answer = Http(device.base, {METADATA_KEY: "forged", "x-api-key": device.api_key}).post(
        "/v1/scans", scan()
    )
    assert answer.status == 200


def test_envoy_controls_are_dropped(device: Device) -> None:
    """From loopback, Envoy would obey a client's `x-envoy-upstream-rq-timeout-ms`."""
    headers = {
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
        "x-envoy-original-path": "/v1/x",
    }
    for _ in range(10):
        assert (
            Http(device.base, {**headers, "x-api-key": device.api_key}).post("/v1/scans", scan()).status
            == 200
        )


def test_headers_with_underscores_are_refused(device: Device) -> None:
    answer = Http(device.base, {"x_scanmesh_identity": "forged", "x-api-key": device.api_key}).post(
        "/v1/scans", scan()
    )
    assert answer.status == 400


def test_services_port_takes_a_signature_and_nothing_less(description, device: Device, genuine: str) -> None:
    with grpc.insecure_channel(description["services"]["ingest"][0]) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        request = ingest_pb2.SubmitScanRequest(scan=scan_message())
        assert stub.SubmitScan(request, metadata=((METADATA_KEY, genuine),)).scan_id == request.scan.scan_id
        for worthless in (genuine[:-4] + "AAAA", "forged", "", device.api_key):
            with pytest.raises(grpc.RpcError) as caught:
                stub.SubmitScan(request, metadata=((METADATA_KEY, worthless),))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert error_info(caught.value).reason == "CREDENTIALS_INVALID"
