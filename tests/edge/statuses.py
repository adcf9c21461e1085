"""Reading what the edge answers when it refuses, in each of the three forms."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a caller can know of a refused call."""

    status: int | grpc.StatusCode
    reason: str
    message: str
    retry_delay: str | None
    """Of the RetryInfo, as JSON has it."""
    retry_after: str | None


def from_json(response: httpx.Response) -> Refusal:
    """Read a google.rpc.Status."""
    assert response.headers["content-type"] == "application/json"
    status = response.json()
    details = {detail["@type"].rpartition(".")[2]: detail for detail in status["details"]}
    assert details["ErrorInfo"]["domain"] == "scanmesh.dev"
    assert details["ErrorInfo"]["metadata"] == {}
    return Refusal(
        response.status_code,
        details["ErrorInfo"]["reason"],
        status["message"],
        details.get("RetryInfo", {}).get("retryDelay"),
        response.headers.get("retry-after"),
    )


def from_legacy(response: httpx.Response) -> Refusal:
    """Read the old gateway's form, which has no place for a retry delay."""
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"success", "error", "message"}
    assert answer["success"] is False
    return Refusal(
        response.status_code, answer["error"], answer["message"], None, response.headers.get("retry-after")
    )


def from_headers(response: httpx.Response) -> Refusal:
    """Read the status that a native caller finds in the headers of an answer without a message."""
    headers = response.headers
    details = headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert (str(status.code), status.message) == (headers["grpc-status"], unquote(headers["grpc-message"]))
    reason, delay = _details(status)
    return Refusal(status.code, reason, status.message, delay, headers.get("retry-after"))


def from_grpc(call: Callable[[], Any]) -> Refusal:
    """Make a call that is refused, and read the status that a native client gets."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    status = rpc_status.from_call(error)
    reason, delay = _details(status or status_pb2.Status())
    metadata = {datum.key: datum.value for datum in error.trailing_metadata()}
    return Refusal(error.code(), reason, error.details(), delay, metadata.get("retry-after"))


def _details(status: status_pb2.Status) -> tuple[str, str | None]:
    """Return the reason and the retry delay."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(retry)
    seconds = retry.retry_delay.seconds
    return info.reason, f"{seconds}s" if seconds else None
