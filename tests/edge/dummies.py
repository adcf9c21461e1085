"""Stand-ins for the services behind the edge: they serve every RPC of the contract, remember each call, and answer as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from scanmesh.auth.v1 import auth_pb2
from scanmesh.billing.v1 import billing_pb2, usage_pb2
from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import ingest_pb2, query_pb2
from scanmesh.ratelimit.v1 import limit_pb2, ratelimit_pb2

from services.chassis.server import OPTIONS

FILES = tuple(
    module.DESCRIPTOR
    for module in (
        auth_pb2,
        ingest_pb2,
        query_pb2,
        limit_pb2,
        ratelimit_pb2,
        enrichment_pb2,
        billing_pb2,
        usage_pb2,
    )
)
"""What the dummies can serve; naming the files here also loads them."""

READY = {"ingest": "scanmesh.ingest.v1.IngestService"}
"""The health name by which the edge computes /readyz; auth it asks on its port for checks."""
SERVICES = ("auth", "ingest", "ratelimit", "enrichment", "billing")
"""Who stands behind the edge."""

_THREADS = 16


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC as a service saw it."""

    method: str
    metadata: dict[str, str | bytes]
    request: Any
    time_remaining: float | None
    """Seconds."""


Reply = Callable[[Call, grpc.ServicerContext], Message | None]


class Dummy(grpc.GenericRpcHandler):
    """A gRPC server on loopback; an RPC without a reply of its own answers an empty message."""

    def __init__(self, *names: str, port: int = 0) -> None:
        """Serve on `port` (0 = any) and be healthy under `names` and the empty name."""
        self.calls: list[Call] = []
        self.replies: dict[str, Reply] = {}
        self.health = health.HealthServicer()
        for name in ("", *names):
            self.be(name, serving=True)
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def be(self, name: str, *, serving: bool) -> None:
        """Answer health checks for `name` from now on."""
        status = health_pb2.HealthCheckResponse
        self.health.set(name, status.SERVING if serving else status.NOT_SERVING)

    def forget(self) -> None:
        """Be as new."""
        self.calls.clear()
        self.replies.clear()

    def stop(self) -> None:
        """Close the port and break what is under way."""
        self._server.stop(grace=None).wait()

    def die(self) -> None:
        """Stop in the middle of a call, from its own reply: the caller's connection breaks."""
        self._server.stop(grace=None)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Find the RPC in the descriptors (gRPC calls this for every call)."""
        path = handler_call_details.method.removeprefix("/")
        try:
            rpc = descriptor_pool.Default().FindMethodByName(path.replace("/", "."))
        except KeyError:
            return None
        metadata = dict(handler_call_details.invocation_metadata or ())
        answer = message_factory.GetMessageClass(rpc.output_type)

        def behaviour(request: Message, context: grpc.ServicerContext) -> Message:
            call = Call(path, metadata, request, context.time_remaining())
            self.calls.append(call)
            reply = self.replies.get(rpc.name)
            return (reply and reply(call, context)) or answer()

        question = message_factory.GetMessageClass(rpc.input_type)
        return grpc.unary_unary_rpc_method_handler(
            behaviour, request_deserializer=question.FromString, response_serializer=answer.SerializeToString
        )


def rpcs() -> dict[str, bool]:
    """Return the path of every RPC of our own protos, and whether it has an HTTP path."""
    return {
        f"/{service.full_name}/{rpc.name}": bool(rpc.GetOptions().ListFields())
        for file in FILES
        for service in file.services_by_name.values()
        if service.full_name.startswith("scanmesh.")
        for rpc in service.methods
    }


@contextmanager
def serving(*names: str) -> Iterator[Dummy]:
    """Run a dummy."""
    dummy = Dummy(*names)
    try:
        yield dummy
    finally:
        dummy.stop()


def refuse(code: grpc.StatusCode, reason: str, message: str, *, retry_seconds: int = 0) -> Reply:
    """Return a reply that refuses as a service does: typed, and with Retry-After where there is a retry delay."""

    def reply(_: Call, context: grpc.ServicerContext) -> None:
        status = status_pb2.Status(code=code.value[0], message=message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="scanmesh.dev"))
        rich: Any = rpc_status.to_status(status)
        if retry_seconds:
            delay = duration_pb2.Duration(seconds=retry_seconds)
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            rich = rpc_status.to_status(status)
            rich = rich._replace(
                trailing_metadata=(*rich.trailing_metadata, ("retry-after", str(retry_seconds)))
            )
        context.abort_with_status(rich)

    return reply


def hold(event: threading.Event, *, seconds: float) -> Reply:
    """Return a reply that keeps its caller waiting for an event, `seconds` at most."""

    def reply(*_: Any) -> None:
        event.wait(seconds)

    return reply
