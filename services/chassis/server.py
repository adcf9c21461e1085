"""One gRPC server per process: health by service name, reflection, keepalive, limits, graceful stop.

The empty health name says "started once and not stopping": the edge routes by it, so a dead dependency never takes
a service out of rotation; it is answered by the service itself, typed. A service's own name says whether it works
now: every second its needs are asked.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from services.chassis import interceptors, roles
from services.chassis.clock import Clock, now
from services.chassis.identity import Verifier
from services.chassis.needs import PROBE_SECONDS, Need, met
from services.chassis.settings import ServerSettings
from services.chassis.stopping import Calls

_ARRIVED_SECONDS = 0.1
"""For calls that have arrived to be begun: gRPC cancels what it has read and not yet handed over when it stops."""
_FINISH_SHARE = 0.8
"""Of the grace: the rest is for the answers of calls that were ended."""
_ANSWERED_SECONDS = 0.1
"""For those answers to be sent."""
_NO_END = 3600.0
"""Seconds: a grace that nothing waits out."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OPTIONS = (
    ("grpc.max_receive_message_length", 2 * interceptors.MAX_REQUEST_BYTES),
    # More than the edge lets through: above the first number refusal is by chance, and a bare RESOURCE_EXHAUSTED.
    ("grpc.max_metadata_size", 48 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
    # gRPC remembers with a header's name in HPACK's table that it could not parse the value, and fails every later
    # call of the connection that refers to the entry. Without a table a bad header is the caller's own trouble.
    ("grpc.http2.hpack_table_size.decoder", 0),
    ("grpc.so_reuseport", 0),  # two processes on one port would be a mistake, not a feature
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

_log = logging.getLogger(__name__)


class RpcNotInRoles(Exception):
    """An RPC would be served that the roles table does not know: nobody decided who may call it."""


class Server:
    """Serves what is added to it, until it is told to stop."""

    def __init__(self, settings: ServerSettings, *, verifier: Verifier, clock: Clock = now) -> None:
        self._calls = Calls()
        layers = interceptors.Layers(verifier, clock, self._calls)
        self._settings = settings
        self._server = grpc.aio.server(interceptors=[interceptors.Interceptor(layers)], options=OPTIONS)
        self._health = health.aio.HealthServicer()
        self._needs: dict[str, Sequence[Need]] = {}
        self._probing: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self.port = 0
        _add(health_pb2_grpc.add_HealthServicer_to_server, self._health, self._server)

    def add(
        self, add_to_server: Callable[[Any, Any], None], servicer: Any, *, needs: Sequence[Need] = ()
    ) -> None:
        """Serve `servicer`; its health is that of its needs.

        Raises:
            RpcNotInRoles: the roles table lacks one of its RPCs.
        """
        for service in _add(add_to_server, servicer, self._server):
            self._needs[service] = tuple(needs)

    async def start(self) -> None:
        """Open the port, and say so."""
        names = (*self._needs, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflector = reflection.aio.ReflectionServicer(names)
        _add(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, reflector, self._server)
        for service in self._needs:
            await self._health.set(service, _NOT_SERVING)
        self.port = self._server.add_insecure_port(self._settings.listen)
        await self._server.start()
        await self._health.set("", _SERVING)
        self._probing = asyncio.create_task(self._probe())
        _log.info("serving", extra={"port": self.port})

    async def until_stopped(self) -> None:
        """Start, serve until SIGTERM, SIGINT or `end`, and stop gracefully."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.end)
        await self.start()
        await self._ending.wait()
        await self.stop()

    def end(self) -> None:
        """Have `until_stopped` stop, as a signal does: for what finds that the process cannot go on."""
        self._ending.set()

    def is_ending(self) -> bool:
        """Tell whether it has been told to stop."""
        return self._ending.is_set()

    async def stop(self) -> None:
        """Say NOT_SERVING first, so that the edge looks elsewhere; then let calls in progress finish, or end them.

        gRPC would cancel them when their time is up, and whoever was frozen meanwhile would get no word in. The edge
        tries cancelled calls at another replica: so what is cancelled here has never begun.
        """
        if self._probing is not None:
            self._probing.cancel()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(_ARRIVED_SECONDS)
        grace = self._settings.stop_grace.total_seconds()
        stopping = asyncio.create_task(self._server.stop(_NO_END))
        await asyncio.wait([stopping], timeout=_FINISH_SHARE * grace)
        await self._calls.end()
        await asyncio.wait([stopping], timeout=_ANSWERED_SECONDS)
        await self._server.stop(None)  # does not wait for callers who do not take their answers
        await stopping
        _log.info("stopped")

    async def _probe(self) -> None:
        while True:
            await asyncio.gather(*map(self._look, self._needs))  # a need that hangs delays no other's answer
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self, service: str) -> None:
        works = await met(self._needs[service])
        await self._health.set(service, _SERVING if works else _NOT_SERVING)


def _add(add_to_server: Callable[[Any, Any], None], servicer: Any, server: grpc.aio.Server) -> list[str]:
    registrar = _Registrar(server)
    add_to_server(servicer, registrar)
    return registrar.services


class _Registrar:
    """Stands in for the server while a servicer is added, and checks its RPCs against the roles table."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.services: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        unknown = sorted(f"/{service}/{rpc}" for rpc in handlers if f"/{service}/{rpc}" not in roles.RULES)
        if unknown:
            raise RpcNotInRoles(f"services/chassis/roles.py does not say who may call {', '.join(unknown)}")
        self.services.append(service)
        self._server.add_registered_method_handlers(service, handlers)
