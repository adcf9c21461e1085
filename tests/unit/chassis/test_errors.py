from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import errors
from services.chassis.errors import MeshError, Reason, Violation

KINDS = MeshError.__subclasses__()
GRPC_MAX_TRAILERS_BYTES = 8 * 1024
"""gRPC's default `grpc.max_metadata_size`: beyond it errors turn into RESOURCE_EXHAUSTED, at random."""
ROOM_FOR_OTHERS_BYTES = 700
"""`:status`, `content-type`, `grpc-status` and what Envoy adds."""


def details(status: status_pb2.Status) -> dict[str, any_pb2.Any]:
    return {packed.type_url.rpartition(".")[2]: packed for packed in status.details}


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_arrives_as_it_was_raised(kind: type[MeshError], reason: Reason) -> None:
    raised = kind(
        "a mesage with „quotes“\nand lines",
        reason=reason,
        metadata={"scanner_id": "s", "limit": "9"},
        retry_delay=timedelta(seconds=2.5),
        violations=[Violation("barcode.data", "is required"), Violation("scan_id", "is no UUID")],
        exceeded=[Violation("scanner.minute", "is reached")],
    )
    arrived = errors.from_status(errors.to_status(raised))
    assert type(arrived) is kind
    assert vars(arrived) == vars(raised)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_says_what_a_device_must_know(kind: type[MeshError]) -> None:
    status = errors.to_status(kind("no"))
    info = error_details_pb2.ErrorInfo()
    assert status.code == kind.code.value[0]
    assert details(status)["ErrorInfo"].Unpack(info)
    assert (info.reason, info.domain) == (kind.reason, "scanmesh.dev")
    assert "BadRequest" not in details(status)


def test_what_may_be_sent_again_says_when_and_nothing_else_does() -> None:
    keep = {kind for kind in KINDS if "RetryInfo" in details(errors.to_status(kind("no")))}
    assert keep == {
        errors.ResourceExhausted,
        errors.DeadlineExceeded,
        errors.Unavailable,
        errors.Internal,
    }


@pytest.mark.parametrize(
    ("delay", "header"),
    [
        (timedelta(0), "1"),
        (timedelta(milliseconds=1), "1"),
        (timedelta(seconds=1), "1"),
        (timedelta(seconds=1, microseconds=1), "2"),
        (timedelta(seconds=59.2), "60"),
        (timedelta(hours=1), "3600"),
    ],
)
def test_retry_after_is_the_delay_in_whole_seconds_and_never_earlier(delay: timedelta, header: str) -> None:
    trailers = dict(errors.trailing_metadata(errors.NotFound("not yet", retry_delay=delay)))
    assert trailers["retry-after"] == header


def test_without_a_delay_there_is_no_retry_after() -> None:
    assert [key for key, _ in errors.trailing_metadata(errors.NotFound("no"))] == ["grpc-status-details-bin"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_alone_is_enough_to_know_the_kind(kind: type[MeshError]) -> None:
    arrived = errors.from_status(status_pb2.Status(code=kind.code.value[0], message="from a stranger"))
    assert (type(arrived), arrived.reason, arrived.message) == (kind, kind.reason, "from a stranger")


def test_a_code_that_is_never_sent_is_a_fault() -> None:
    assert errors.kind_of(grpc.StatusCode.DATA_LOSS) is errors.Internal
    assert (
        type(errors.from_status(status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0]))) is errors.Internal
    )


def test_a_reason_of_a_later_version_keeps_the_kind() -> None:
    status = errors.to_status(errors.ResourceExhausted("no", reason=Reason.QUOTA_EXCEEDED))
    info = error_details_pb2.ErrorInfo(reason="SOMETHING_NEW", domain=errors.DOMAIN, metadata={"a": "b"})
    status.details[0].Pack(info)
    arrived = errors.from_status(status)
    assert (type(arrived), arrived.reason, arrived.metadata) == (
        errors.ResourceExhausted,
        Reason.RATE_LIMITED,
        {"a": "b"},
    )


def test_a_reason_of_another_domain_is_not_ours() -> None:
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0])
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="QUOTA_EXCEEDED", domain="example.com"))
    assert errors.from_status(status).reason is Reason.DEPENDENCY_UNAVAILABLE


def test_foreign_details_are_passed_over() -> None:
    status = errors.to_status(errors.NotFound("no", retry_delay=timedelta(seconds=3)))
    status.details.insert(0, any_pb2.Any(type_url="type.googleapis.com/example.Unknown", value=b"\xff\xff"))
    status.details.add().Pack(duration_pb2.Duration(seconds=9))
    assert errors.from_status(status).retry_delay == timedelta(seconds=3)


@given(
    message=st.text(max_size=2_000),
    violations=st.lists(
        st.builds(Violation, st.text(max_size=300), st.text(max_size=100)), min_size=1, max_size=300
    ),
)
def test_an_error_fits_into_the_trailers_that_grpc_takes(message: str, violations: list[Violation]) -> None:
    error = errors.InvalidArgument(message, violations=violations, retry_delay=timedelta(days=1))
    trailers = {"grpc-message": quote(error.message), **dict(errors.trailing_metadata(error))}
    size = sum(len(key) + len(value) + 32 for key, value in trailers.items())
    assert size <= GRPC_MAX_TRAILERS_BYTES - ROOM_FOR_OTHERS_BYTES


def test_as_many_violations_as_fit_are_told_and_how_many_are_not() -> None:
    violations = [Violation(f"attributes.{index}", "is too long") for index in range(1_000)]
    told = errors.from_status(
        errors.to_status(errors.InvalidArgument("no", violations=violations))
    ).violations
    *first, last = told
    assert first == violations[: len(first)]
    assert last == Violation("", f"and {1_000 - len(first)} more")
    assert len(first) > 100


def test_an_ordinary_number_of_violations_is_told_whole() -> None:
    violations = [
        Violation(f"attributes.key_{index}", "must not be longer than 1024 characters") for index in range(64)
    ]
    assert errors.within(violations, 5 * 1024) == violations
