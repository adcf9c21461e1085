from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2_grpc

from services.chassis.identity import Signer, Verifier
from services.ingest import publisher
from services.ingest.acceptor import Acceptor
from services.ingest.in_flight import InFlight
from services.ingest.servicer import IngestServicer
from tests.fakes import identities
from tests.fakes.bus import RecordingBus
from tests.servers.rpc import Added, serving, signed

ACCEPTED = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
"""What the clock of the service under test shows."""
MAX_IN_FLIGHT = 8 * 1024**2


@pytest.fixture
def bus() -> RecordingBus:
    return RecordingBus()


@pytest.fixture
async def channel(bus: RecordingBus, verifier: Verifier) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to ingest's own port; its server is assembled as `services.ingest.__main__` does."""
    async with publisher.running(bus, InFlight(MAX_IN_FLIGHT)) as scans:
        servicer = IngestServicer(Acceptor(scans), lambda: ACCEPTED)
        added = Added(ingest_pb2_grpc.add_IngestServiceServicer_to_server, servicer)
        async with (
            serving(verifier, added) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            yield channel


@pytest.fixture
def ingest(channel: grpc.aio.Channel) -> ingest_pb2_grpc.IngestServiceStub:
    return ingest_pb2_grpc.IngestServiceStub(channel)


@pytest.fixture
def scanner(signer: Signer) -> tuple[tuple[str, str], ...]:
    """The metadata of a scanner's call; its company is on the premium lane."""
    return signed(signer, identities.SCANNER)
