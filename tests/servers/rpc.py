"""A service's real gRPC server, on a port of its own, around whatever servicer a test brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from services.chassis import errors, identity
from services.chassis.clock import Clock, now
from services.chassis.errors import MeshError
from services.chassis.identity import Identity, Signer, Verifier
from services.chassis.server import Need, Server
from services.chassis.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Added:
    """A servicer, what adds it to a server, and what it needs."""

    add_to_server: Callable[[Any, Any], None]
    servicer: Any
    needs: Sequence[Need] = ()


@asynccontextmanager
async def serving(
    verifier: Verifier,
    *services: Added,
    listen: str = "127.0.0.1:0",
    clock: Clock = now,
    grace: timedelta = timedelta(seconds=5),
) -> AsyncIterator[Server]:
    """Run a server, and stop it if the test has not."""
    settings = ServerSettings(identity_jwks=Path("unread"), listen=listen, stop_grace=grace)
    server = Server(settings, verifier=verifier, clock=clock)
    for added in services:
        server.add(added.add_to_server, added.servicer, needs=added.needs)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def signed(signer: Signer, known: Identity) -> tuple[tuple[str, str], ...]:
    """The metadata of a call by `known`."""
    return ((identity.METADATA_KEY, signer.sign(known, now())),)


async def failure(call: Any) -> MeshError:
    """Await a call that fails with details, and answer the error as a device's library reads it."""
    error = await broken(call)
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error!r}"
    assert len(status.details) == len({detail.type_url for detail in status.details})
    return errors.from_status(status_pb2.Status.FromString(status.SerializeToString()))


async def broken(call: Any) -> grpc.aio.AioRpcError:
    """Await a call that fails."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"the call was answered: {answer!r}")
