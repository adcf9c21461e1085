"""Reading what the edge answers when it refuses, in each of the three forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
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


def from_grpc(call: Callable[[], Any]) -> Refusal:
    """Make a call that is refused, and read the status that a native client gets."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    status = rpc_status.from_call(error)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details if status else ():
        detail.Unpack(info) or detail.Unpack(retry)
    metadata = {datum.key: datum.value for datum in error.trailing_metadata()}
    seconds = retry.retry_delay.seconds
    return Refusal(
        error.code(),
        info.reason,
        error.details(),
        f"{seconds}s" if seconds else None,
        metadata.get("retry-after"),
    )
