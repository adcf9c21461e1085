"""Typed errors, the same on both sides of a call.

A handler raises, one interceptor turns it into a `google.rpc.Status`, the client turns that back:

    MeshError
    ├── InvalidArgument      400   the request is wrong; never send it again
    ├── Unauthenticated      401   no valid credential
    ├── PermissionDenied     403   a valid credential that may not do this
    ├── NotFound             404
    ├── AlreadyExists        409
    ├── FailedPrecondition   400   the resource's state forbids it
    ├── ResourceExhausted    429   a limit; carries a retry delay
    ├── Aborted              409   a conflict of concurrent writes
    ├── DeadlineExceeded     504   carries a retry delay
    ├── Unavailable          503   a dependency is down; carries a retry delay
    ├── Unimplemented        501   no such RPC here
    └── Internal             500   a fault of ours; carries a retry delay

One rule for devices: a retry delay present means keep and resend after it, absent means drop. So the kinds
answered with 429 and 5xx always carry one. This module is the only one that maps kinds to gRPC codes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from services.chassis import wire

DOMAIN = "scanmesh.dev"
DETAILS_KEY = "grpc-status-details-bin"
RETRY_AFTER_KEY = "retry-after"
# gRPC takes up to 8 KiB of trailers; with more, it makes RESOURCE_EXHAUSTED of any error, now and then (seen), and a
# device would send what is wrong for ever. Hence: all violations, as far as they fit.
_MAX_VIOLATIONS_BYTES = 5 * 1024
_MAX_MESSAGE_BYTES = 400
"""It stands in the details and, percent-encoded, beside them: up to four times this."""
_VIOLATION_OVERHEAD_BYTES = 10


class Reason(StrEnum):
    """Machine-readable reasons (`ErrorInfo.reason`), the ones of `scanmesh.errors.v1.ErrorReason`."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason, not a secret
    PERMISSION_DENIED = "PERMISSION_DENIED"
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    COMPANY_SUSPENDED = "COMPANY_SUSPENDED"
    NOT_FOUND = "NOT_FOUND"
    ROUTE_NOT_FOUND = "ROUTE_NOT_FOUND"
    NOT_RECORDED_YET = "NOT_RECORDED_YET"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    SCANNER_LIMIT_REACHED = "SCANNER_LIMIT_REACHED"
    REGION_LIMIT_REACHED = "REGION_LIMIT_REACHED"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    NOT_DURABLE = "NOT_DURABLE"
    DEPENDENCY_UNAVAILABLE = "DEPENDENCY_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    INTERNAL = "INTERNAL"
    SCAN_ID_REUSED = "SCAN_ID_REUSED"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with one field of a request."""

    field: str
    """Path in proto names, relative to the request (inside a scan: to the scan), e.g. `barcode.data`."""
    description: str
    """What is wrong, in words for the device's author."""


class MeshError(Exception):
    """An error that crosses RPC boundaries with its type; raise one of the kinds below."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN
    reason: Reason = Reason.INTERNAL
    default_retry_delay: ClassVar[timedelta | None] = None

    def __init__(  # noqa: PLR0913 - the parts of a status, each by its name
        self,
        message: str,
        *,
        reason: Reason | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_delay: timedelta | None = None,
        violations: Sequence[Violation] = (),
        exceeded: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message.encode()[:_MAX_MESSAGE_BYTES].decode(errors="ignore")
        if reason is not None:
            self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_delay = retry_delay if retry_delay is not None else self.default_retry_delay
        self.violations = tuple(violations)
        self.exceeded = tuple(exceeded)
        """The limits that were exceeded, by name."""


class InvalidArgument(MeshError):
    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = Reason.INVALID_ARGUMENT


class Unauthenticated(MeshError):
    code = grpc.StatusCode.UNAUTHENTICATED
    reason = Reason.CREDENTIALS_INVALID


class PermissionDenied(MeshError):
    code = grpc.StatusCode.PERMISSION_DENIED
    reason = Reason.PERMISSION_DENIED


class NotFound(MeshError):
    code = grpc.StatusCode.NOT_FOUND
    reason = Reason.NOT_FOUND


class AlreadyExists(MeshError):
    code = grpc.StatusCode.ALREADY_EXISTS
    reason = Reason.ALREADY_EXISTS


class FailedPrecondition(MeshError):
    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = Reason.SCANNER_LIMIT_REACHED


class ResourceExhausted(MeshError):
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = Reason.RATE_LIMITED
    default_retry_delay = timedelta(seconds=1)


class Aborted(MeshError):
    code = grpc.StatusCode.ABORTED
    reason = Reason.ALREADY_EXISTS


class DeadlineExceeded(MeshError):
    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = Reason.DEADLINE_EXCEEDED
    default_retry_delay = timedelta(seconds=1)


class Unavailable(MeshError):
    code = grpc.StatusCode.UNAVAILABLE
    reason = Reason.DEPENDENCY_UNAVAILABLE
    default_retry_delay = timedelta(seconds=1)


class Unimplemented(MeshError):
    code = grpc.StatusCode.UNIMPLEMENTED
    reason = Reason.ROUTE_NOT_FOUND


class Internal(MeshError):
    code = grpc.StatusCode.INTERNAL
    reason = Reason.INTERNAL
    default_retry_delay = timedelta(seconds=5)


_KINDS: tuple[type[MeshError], ...] = (
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    ResourceExhausted,
    Aborted,
    DeadlineExceeded,
    Unavailable,
    Unimplemented,
    Internal,
)
_KIND_BY_CODE = {kind.code.value[0]: kind for kind in _KINDS}


def kind_of(code: grpc.StatusCode) -> type[MeshError]:
    """Answer the kind that stands for a gRPC code; codes we never send are faults."""
    return _KIND_BY_CODE.get(code.value[0], Internal)


def to_status(error: MeshError) -> status_pb2.Status:
    """Render an error as the status that every client of the mesh understands."""
    details: list[any_pb2.Any] = []
    _pack(details, error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if error.violations:
        fitting = within(error.violations, _MAX_VIOLATIONS_BYTES)
        _pack(details, error_details_pb2.BadRequest(field_violations=map(_violation, fitting)))
    if error.exceeded:
        _pack(details, error_details_pb2.QuotaFailure(violations=map(_exceeded, error.exceeded)))
    if error.retry_delay is not None:
        _pack(details, error_details_pb2.RetryInfo(retry_delay=wire.duration(error.retry_delay)))
    return status_pb2.Status(code=error.code.value[0], message=error.message, details=details)


def within(violations: Sequence[Violation], max_bytes: int) -> Sequence[Violation]:
    """Answer as many violations as fit into `max_bytes`, and after them how many there are beyond."""
    size = 0
    for index, violation in enumerate(violations):
        size += len(f"{violation.field}{violation.description}".encode()) + _VIOLATION_OVERHEAD_BYTES
        if size > max_bytes:
            beyond = Violation("", f"and {len(violations) - index} more")
            return (*violations[:index], beyond)
    return violations


def from_status(status: status_pb2.Status) -> MeshError:
    """Rebuild the error a peer raised; a status without our details keeps its code's default reason."""
    info, bad_request, quota, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.QuotaFailure(),
        error_details_pb2.RetryInfo(),
    )
    has_delay = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        detail.Unpack(quota)
        has_delay |= detail.Unpack(retry)
    return _KIND_BY_CODE.get(status.code, Internal)(
        status.message,
        reason=Reason(info.reason) if info.domain == DOMAIN and info.reason in Reason.__members__ else None,
        metadata=info.metadata,
        retry_delay=retry.retry_delay.ToTimedelta() if has_delay else None,
        violations=[Violation(v.field, v.description) for v in bad_request.field_violations],
        exceeded=[Violation(v.subject, v.description) for v in quota.violations],
    )


def trailing_metadata(error: MeshError) -> tuple[tuple[str, str | bytes], ...]:
    """Answer the trailers of a failed call: the details, and `retry-after` (whole seconds, at least 1)."""
    details = (DETAILS_KEY, to_status(error).SerializeToString())
    if error.retry_delay is None:
        return (details,)
    return (details, (RETRY_AFTER_KEY, str(retry_after(error.retry_delay))))


def retry_after(delay: timedelta) -> int:
    """Round a retry delay up to the whole seconds of HTTP's `Retry-After`, at least 1."""
    return max(1, math.ceil(delay.total_seconds()))


def _violation(violation: Violation) -> error_details_pb2.BadRequest.FieldViolation:
    return error_details_pb2.BadRequest.FieldViolation(
        field=violation.field, description=violation.description
    )


def _exceeded(violation: Violation) -> error_details_pb2.QuotaFailure.Violation:
    return error_details_pb2.QuotaFailure.Violation(
        subject=violation.field, description=violation.description
    )


def _pack(details: list[any_pb2.Any], message: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(message)
    details.append(packed)
