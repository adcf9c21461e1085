"""Channels to other services: the caller's deadline and trace go along, typed errors come back.

The only way to open a channel. A call that finds no connection waits for one until its deadline, over all
addresses in turn; a call that was answered, UNAVAILABLE included, is never repeated here: the caller knows whether
that is safe.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from services.chassis import deadline, identity, interceptors, telemetry
from services.chassis.errors import MeshError, from_status, kind_of

_DEFAULT_SECONDS = 5.0
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", 2 * interceptors.MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", 2 * interceptors.MAX_REQUEST_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A restarted peer is back within seconds: do not wait longer than that before looking again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def channel(
    targets: Sequence[str], *, seconds: float = _DEFAULT_SECONDS, identity_token: str = ""
) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel over all of `targets` (host:port, IPv4), in turn.

    Args:
        targets: the replicas of one service.
        seconds: how long a call may take at most; the deadline of the call in progress bounds it further.
        identity_token: sent with every call as the caller's identity, if given.

    Calls on it raise `MeshError` kinds, as the peer raised them.
    """
    address = "ipv4:" + ",".join(targets)
    calls = _Calls(seconds, identity_token)
    async with grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=[calls]) as opened:
        yield opened


def as_caller() -> tuple[tuple[str, str], ...]:
    """Answer the metadata with which a call is made in the name of whoever calls the RPC in progress."""
    return ((identity.METADATA_KEY, identity.caller_token()),)


class _Calls(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends every unary call with deadline, trace and identity, and types its error."""

    def __init__(self, seconds: float, identity_token: str) -> None:
        self._seconds = seconds
        self._identity = {"x-scanmesh-identity": identity_token} if identity_token else {}

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        call = await continuation(self._with_context(client_call_details), request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise typed(error) from error

    def _with_context(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        carried = {**telemetry.outgoing(), **self._identity}
        if telemetry.request_id():
            carried["x-request-id"] = telemetry.request_id()
        for key, value in carried.items():
            metadata.add(key, value)
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=self._timeout(details.timeout),
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=True,
        )

    def _timeout(self, asked: float | None) -> float:
        seconds = self._seconds if asked is None else asked
        left = deadline.remaining()
        return seconds if left is None else min(seconds, max(0.0, left))


def typed(error: grpc.aio.AioRpcError) -> MeshError:
    """Answer the error a peer raised; one without details keeps the kind of its code."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has what it reads
        if status is not None:
            return from_status(status)
    except (ValueError, DecodeError):
        _log.warning("details of an error cannot be read", extra={"code": error.code().name})
    return kind_of(error.code())(error.details() or error.code().name)
