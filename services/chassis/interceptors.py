"""What happens around every call, in one visible order: `Layers.around`.

It is a context manager around the handler, so the same one serves unary calls and streams. A contextvar that a layer
sets is seen by the handler and by this call alone.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from services.chassis import deadline, identity, roles, telemetry
from services.chassis.clock import Clock
from services.chassis.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    MeshError,
    Reason,
    trailing_metadata,
)
from services.chassis.stopping import Calls

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Larger requests are refused (CONTRACT section 1); gRPC itself takes twice that, so that we are the ones to say it."""
DEFAULT_DEADLINE_SECONDS = 10.0
_ANSWER_MARGIN_SECONDS = 0.05
_ANSWER_MARGIN_SHARE = 0.2
"""Kept of the caller's deadline, so that our typed answer beats the caller's own timer: so many seconds, or this share
of a short deadline, which would otherwise be gone after a few services that call each other."""

_log = logging.getLogger(__name__)
_duration = telemetry.meter(__name__).create_histogram(
    "rpc.server.duration",
    unit="s",
    description="time from a request's arrival to its answer",
    # The library's own are meant for milliseconds; these are those of OpenTelemetry's RPC conventions.
    explicit_bucket_boundaries_advisory=[
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
    ],
)


@dataclass(slots=True)
class Call:
    """One RPC on its way through the layers."""

    method: str
    """Full name, `/scanmesh.ingest.v1.IngestService/SubmitScan`."""
    metadata: dict[str, Any]
    request: Any
    """The decoded request, the error that decoding it ended with, or the iterator of a stream of requests."""
    context: grpc.aio.ServicerContext[Any, Any]
    streaming: bool
    """Whether the answer is a stream: it lives as long as its caller wants, not by a deadline."""
    error: MeshError | None = None
    """How the call failed."""


class Layers:
    """What happens around every call; entered by `around`, left in the opposite order."""

    def __init__(self, verifier: identity.Verifier, clock: Clock, calls: Calls) -> None:
        self._verifier = verifier
        self._clock = clock
        self._calls = calls

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Surround a handler.

        `errors` stands inside of what must see the outcome and outside of all that may raise; the caller is identified
        before anything looks at the request, so nothing of an unknown caller is examined.
        """
        _name(call)
        with measured(call):
            async with errors(call), self._calls.joined(), timed(call):
                self._identify(call)
                _validate(call)
                _authorise(call)
                yield

    def _identify(self, call: Call) -> None:
        """Verify the identity token where the roles table asks for one."""
        if roles.RULES[call.method].needs_identity:
            token = str(call.metadata.get(identity.METADATA_KEY, ""))
            known = self._verifier.verify(token, self._clock())
            identity.set_caller_token(token)
            identity.set_caller(identity.Caller(known, known.company_id))


def _name(call: Call) -> None:
    """Continue the caller's trace, and give the log lines of this call its ids."""
    telemetry.join_trace(call.metadata)
    telemetry.bind(request_id=call.metadata.get("x-request-id") or f"{random.getrandbits(64):016x}")


def _validate(call: Call) -> None:
    """Refuse a request that could not be decoded, or is too large to be."""
    if isinstance(call.request, MeshError):
        raise call.request


def _authorise(call: Call) -> None:
    """Check the caller's role and company against the roles table, on the decoded message."""
    rule = roles.RULES[call.method]
    if rule.needs_identity:
        identity.set_caller(rule.authorise(identity.caller().identity, call.request))


@contextmanager
def measured(call: Call) -> Iterator[None]:
    """Record how long the call took and how it ended; log the ones that failed."""
    start = time.perf_counter()
    code = "OK"
    try:
        yield
    except asyncio.CancelledError:  # its caller hung up
        code = grpc.StatusCode.CANCELLED.name
        raise
    finally:
        if call.error is not None:
            code = call.error.code.name
        _duration.record(time.perf_counter() - start, {"method": call.method, "code": code})
        if call.error is not None:
            _log.info(
                "refused",
                extra={
                    "method": call.method,
                    "code": code,
                    "reason": call.error.reason,
                    "error": str(call.error),
                },
            )


@asynccontextmanager
async def errors(call: Call) -> AsyncIterator[None]:
    """Turn what the handler raised into a status with details; what nobody typed leaves as INTERNAL."""
    try:
        yield
    except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
        raise  # gRPC's own ways to end a call
    except Exception as error:  # noqa: BLE001 - the one place that may: an unknown fault is still answered, typed
        call.error = typed(error)
    if call.error is not None:
        await call.context.abort(call.error.code, call.error.message, trailing_metadata(call.error))


def typed(error: Exception) -> MeshError:
    """Answer the error that a caller is told; what nobody typed is logged, and is INTERNAL."""
    if isinstance(error, MeshError):
        return error
    _log.error("fault", exc_info=error)
    return Internal("internal error")


@asynccontextmanager
async def timed(call: Call) -> AsyncIterator[None]:
    """Bound the call by its caller's deadline; streams, which bring none, are not bounded."""
    remaining = call.context.time_remaining()
    if remaining is None and call.streaming:
        yield
        return
    seconds = DEFAULT_DEADLINE_SECONDS if remaining is None else remaining
    margin = min(_ANSWER_MARGIN_SECONDS, _ANSWER_MARGIN_SHARE * seconds)
    at = deadline.begin(max(0.0, seconds - margin))
    try:
        async with asyncio.timeout_at(at) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise  # somebody else's, which nobody typed
        raise DeadlineExceeded("no answer within the deadline") from error


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts the layers around every handler, once per method."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:  # not one of ours: gRPC answers UNIMPLEMENTED
                return handler
            self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
        decode = _bounded(handler.request_deserializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, handler.unary_unary), decode, handler.response_serializer
            )
        if handler.unary_stream:
            make, behaviour = grpc.unary_stream_rpc_method_handler, handler.unary_stream
        elif handler.stream_stream:
            make, behaviour = grpc.stream_stream_rpc_method_handler, handler.stream_stream
        else:
            raise TypeError(f"{method}: client streaming is not part of the contract")
        # Health's stock Watch writes through the context instead of yielding: the kind of function decides.
        wrap = self._generator if inspect.isasyncgenfunction(behaviour) else self._writer
        return make(wrap(method, behaviour), decode, handler.response_serializer)

    def _unary(self, method: str, behaviour: Any) -> Any:
        async def handle(request: Any, context: Any) -> Any:
            async with self._around(method, request, context, streaming=False):
                return await behaviour(request, context)

        return handle

    def _writer(self, method: str, behaviour: Any) -> Any:
        async def handle(request: Any, context: Any) -> None:
            async with self._around(method, request, context, streaming=True):
                await behaviour(request, context)

        return handle

    def _generator(self, method: str, behaviour: Any) -> Any:
        async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._around(method, request, context, streaming=True):
                async for response in behaviour(request, context):
                    yield response

        return handle

    def _around(
        self, method: str, request: Any, context: Any, *, streaming: bool
    ) -> AbstractAsyncContextManager[None]:
        metadata = dict(context.invocation_metadata() or ())
        return self._layers.around(Call(method, metadata, request, context, streaming))


def _bounded(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Decode a request, or answer the error to raise: gRPC itself would say INTERNAL, without details."""

    def bounded(data: bytes) -> Any:
        if len(data) > MAX_REQUEST_BYTES:
            return InvalidArgument(
                f"the request is larger than {MAX_REQUEST_BYTES} bytes", reason=Reason.REQUEST_TOO_LARGE
            )
        try:
            return decode(data)
        except DecodeError:
            return InvalidArgument("the request is not of the schema", reason=Reason.REQUEST_MALFORMED)

    return bounded
