"""The contract's errors as native gRPC callers read them: the code, the reason in the details, and no retry delay."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc
from scanmesh.ingest.v1 import ingest_pb2

from services.chassis.errors import RETRY_AFTER_KEY
from tests.system.actors import Company, Device, Operator, batch_request, error_info, scan_message


def refused(call: Any, request: Any, metadata: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, metadata=metadata, timeout=10)
    error = caught.value
    assert RETRY_AFTER_KEY not in dict(error.trailing_metadata() or ())
    return error.code(), error_info(error).reason


@pytest.fixture
def channel(company: Company):
    with grpc.insecure_channel(company.base.removeprefix("http://")) as channel:
        yield channel


def bearer(operator: Operator) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {operator.session['accessToken']}"),)


def test_batch_too_large(device: Device) -> None:
    with device.stub() as stub:
        answer = refused(
            stub.SubmitScans, batch_request(*(scan_message() for _ in range(1_001))), device.metadata
        )
    assert answer == (grpc.StatusCode.INVALID_ARGUMENT, "BATCH_TOO_LARGE")


def test_unknown_key(device: Device) -> None:
    key = (("x-api-key", f"kmp_scanner_{device.company_id}_{uuid.uuid4()}"),)
    with device.stub() as stub:
        answer = refused(stub.SubmitScan, ingest_pb2.SubmitScanRequest(scan=scan_message()), key)
    assert answer == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")


def test_operator_who_submits(company: Company, device: Device) -> None:
    with device.stub() as stub:
        request = ingest_pb2.SubmitScanRequest(scan=scan_message())
        answer = refused(stub.SubmitScan, request, bearer(company.admin))
    assert answer == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


def test_scanner_that_is_not_there(company: Company, channel: grpc.Channel) -> None:
    call = auth_pb2_grpc.ScannerServiceStub(channel).GetScanner
    request = auth_pb2.GetScannerRequest(company_id=company.id, scanner_id=str(uuid.uuid4()))
    assert refused(call, request, bearer(company.admin)) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_email_that_is_taken(company: Company, channel: grpc.Channel) -> None:
    call = auth_pb2_grpc.UserServiceStub(channel).CreateUser
    user = auth_pb2.User(
        email=f"{uuid.uuid4()}@example.com", password="a password of some length", role=auth_pb2.ROLE_VIEWER
    )
    request = auth_pb2.CreateUserRequest(company_id=company.id, user=user)
    call(request, metadata=bearer(company.admin))
    assert refused(call, request, bearer(company.admin)) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")


def test_another_company(company: Company, channel: grpc.Channel) -> None:
    call = auth_pb2_grpc.CompanyServiceStub(channel).GetCompany
    request = auth_pb2.GetCompanyRequest(company_id=company.id + 1)
    assert refused(call, request, bearer(company.admin)) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_DENIED",
    )


@pytest.mark.parametrize(
    ("change", "back", "reason"),
    [
        ({"status": "COMPANY_STATUS_SUSPENDED"}, {"status": "COMPANY_STATUS_ACTIVE"}, "COMPANY_SUSPENDED"),
        ({"allowedCidrs": ["203.0.113.0/24"]}, {"allowedCidrs": ["127.0.0.0/8"]}, "ADDRESS_NOT_ALLOWED"),
    ],
)
def test_company_that_is_closed_to_the_caller(company: Company, change: Any, back: Any, reason: str) -> None:
    device = company.scanner()
    assert company.platform.http.patch(company.path, change).status == 200
    try:
        with device.stub() as stub:
            request = ingest_pb2.SubmitScanRequest(scan=scan_message())
            assert refused(stub.SubmitScan, request, device.metadata) == (
                grpc.StatusCode.PERMISSION_DENIED,
                reason,
            )
    finally:
        assert company.platform.http.patch(company.path, back).status == 200
