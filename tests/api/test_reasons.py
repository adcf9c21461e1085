"""Reasons are spelt alike in the contract, in the .proto file that publishes them and in the code that sends them."""

from __future__ import annotations

import pytest
from scanmesh.errors.v1.error_reason_pb2 import ErrorReason

from services.chassis.errors import Reason
from tests.api.descriptors import Api

PREFIX = "ERROR_REASON_"

CONTRACT = {
    "INVALID_ARGUMENT": "INVALID_ARGUMENT, HTTP 400, no retry delay",
    "REQUEST_MALFORMED": "INVALID_ARGUMENT, HTTP 400, no retry delay",
    "BATCH_TOO_LARGE": "INVALID_ARGUMENT, HTTP 400, no retry delay",
    "REQUEST_TOO_LARGE": "INVALID_ARGUMENT, HTTP 413, no retry delay",
    "CREDENTIALS_INVALID": "UNAUTHENTICATED, HTTP 401, no retry delay",
    "TOKEN_EXPIRED": "UNAUTHENTICATED, HTTP 401, no retry delay",
    "PERMISSION_DENIED": "PERMISSION_DENIED, HTTP 403, no retry delay",
    "ADDRESS_NOT_ALLOWED": "PERMISSION_DENIED, HTTP 403, no retry delay",
    "COMPANY_SUSPENDED": "PERMISSION_DENIED, HTTP 403, no retry delay",
    "NOT_FOUND": "NOT_FOUND, HTTP 404, no retry delay",
    "ROUTE_NOT_FOUND": "NOT_FOUND, HTTP 404, no retry delay",
    "NOT_RECORDED_YET": "NOT_FOUND, HTTP 404, retry delay 1 s",
    "ALREADY_EXISTS": "ALREADY_EXISTS, HTTP 409, no retry delay",
    "SCANNER_LIMIT_REACHED": "FAILED_PRECONDITION, HTTP 400, no retry delay",
    "REGION_LIMIT_REACHED": "FAILED_PRECONDITION, HTTP 400, no retry delay",
    "RATE_LIMITED": "RESOURCE_EXHAUSTED, HTTP 429, retry delay until it is refilled",
    "QUOTA_EXCEEDED": "RESOURCE_EXHAUSTED, HTTP 429, retry delay at most 60 s",
    "OVERLOADED": "UNAVAILABLE, HTTP 503, with a retry delay",
    "NOT_DURABLE": "UNAVAILABLE, HTTP 503, with a retry delay",
    "DEPENDENCY_UNAVAILABLE": "UNAVAILABLE, HTTP 503, with a retry delay",
    "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED, HTTP 504, with a retry delay",
    "REQUEST_TIMEOUT": "No gRPC status, HTTP 408, with a retry delay",
    "INTERNAL": "INTERNAL, HTTP 500, with a retry delay",
    "SCAN_ID_REUSED": "Only ever the reason of a dead letter",
}
"""Reason → what its comment must say: status, HTTP code, whether a device sends again."""


def test_the_enum_has_the_reasons_of_the_contract() -> None:
    assert [name.removeprefix(PREFIX) for name in ErrorReason.keys()] == ["UNSPECIFIED", *CONTRACT]  # noqa: SIM118 - an enum wrapper is no dict


def test_the_services_send_no_other_reason() -> None:
    assert {reason.value for reason in Reason} == set(CONTRACT)
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize("reason", CONTRACT)
def test_a_reason_says_how_it_travels_and_shows_a_payload(api: Api, reason: str) -> None:
    comments = {e.name: " ".join(e.comment.split()) for e in api.elements() if "ErrorReason" in e.name}
    comment = comments[f"scanmesh.errors.v1.ErrorReason.{PREFIX}{reason}"]

    assert CONTRACT[reason] in comment
    assert f'"reason": "{reason}"' in comment
