from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2_grpc

from services.chassis.identity import Signer, Verifier
from services.chassis.server import Server
from tests.fakes import identities
from tests.rpc.chassis.scripted import Scripted
from tests.servers.rpc import serving, signed


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def server(scripted: Scripted, verifier: Verifier) -> AsyncIterator[Server]:
    async with serving(verifier, scripted.added()) as server:
        yield server


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    """A plain channel to the service's own port."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


@pytest.fixture
def ingest(channel: grpc.aio.Channel) -> ingest_pb2_grpc.IngestServiceStub:
    return ingest_pb2_grpc.IngestServiceStub(channel)


@pytest.fixture
def scanner(signer: Signer) -> tuple[tuple[str, str], ...]:
    """The metadata of a scanner's call."""
    return signed(signer, identities.SCANNER)
