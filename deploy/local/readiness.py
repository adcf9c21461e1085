"""Asking a part whether it really works: each check raises NotReady or OSError until it does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc.aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from deploy.local.parts import NotReady

_LOOPBACK = "127.0.0.1"
_TIMEOUT_SECONDS = 2.0
_SHOWN_BYTES = 500


async def http_ok(port: int, path: str) -> None:
    """Ask for a page on loopback and want status 200; to be hung up on is silence, and no answer."""
    request = f"GET {path} HTTP/1.1\r\nHost: {_LOOPBACK}\r\nConnection: close\r\n\r\n"
    head, _, body = (await _exchange(port, request.encode())).partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0]
    if not status:
        raise ConnectionError(f"GET {path}: closed without an answer")
    if b" 200 " not in status + b" ":
        said = body[:_SHOWN_BYTES].decode(errors="replace").strip()
        raise NotReady(f"GET {path}: {status.decode(errors='replace')} {said}".rstrip())


async def valkey_pong(port: int, user: str, password: str) -> None:
    """Log in to Valkey and PING it."""
    answer = await _exchange(port, f"AUTH {user} {password}\r\nPING\r\nQUIT\r\n".encode())
    if not answer.startswith(b"+OK\r\n+PONG\r\n"):
        raise NotReady(f"PING: {answer.decode(errors='replace').splitlines()[:1]}")


async def grpc_serving(port: int) -> None:
    """Ask a service for its health under the empty name: started once, and not stopping."""
    await _listening(
        port
    )  # while it is still importing, a channel each time would cost the CPU that it needs
    # A pool of its own: the shared one makes a new channel wait out the backoff of an earlier refusal.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"{_LOOPBACK}:{port}", options=options) as channel:
        try:
            answer = await HealthStub(channel).Check(  # type: ignore[attr-defined]  # missing in its stubs
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise NotReady(f"health: {error.code().name}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReady(f"health: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


async def command_ok(*argv: str, env: Mapping[str, str]) -> None:
    """Run a client program and want it to succeed."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    if process.returncode:
        raise NotReady(complaint.decode(errors="replace").strip())


async def _listening(port: int) -> None:
    _, writer = await asyncio.open_connection(_LOOPBACK, port)
    writer.close()


async def _exchange(port: int, request: bytes) -> bytes:
    """Send a request and answer all that comes back until the other side closes."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_connection(_LOOPBACK, port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()
