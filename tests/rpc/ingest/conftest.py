from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2_grpc

from services.chassis.identity import Signer, Verifier
from services.ingest import errands
from services.ingest.acceptor import Acceptor, Room
from services.ingest.backlog import Backlog
from services.ingest.breaker import Breaker
from services.ingest.in_flight import InFlight
from services.ingest.limiter import Limiter
from services.ingest.publisher import ScanPublisher
from services.ingest.ratelimit import RateLimit
from services.ingest.servicer import IngestServicer
from services.ingest.shedding import Shedder
from tests.fakes import identities
from tests.fakes.bus import RecordingBus
from tests.fakes.filling import Filling
from tests.fakes.plans import FakePlans
from tests.fakes.ratelimit import FakeRateLimit
from tests.servers.rpc import Added, serving, signed

ACCEPTED = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
"""What the clock of the service under test shows."""
MAX_IN_FLIGHT = 8 * 1024**2
SHED_RATE = 5_000


@pytest.fixture
def bus() -> RecordingBus:
    return RecordingBus()


@pytest.fixture
def ratelimit() -> FakeRateLimit:
    """Grants everything unless told otherwise."""
    return FakeRateLimit(ACCEPTED)


@pytest.fixture
def filling() -> Filling:
    """Tells how full the stream of scans is."""
    return Filling()


@pytest.fixture
def backlog(filling: Filling) -> Backlog:
    """Sees an empty stream until a test has it look."""
    return Backlog(filling)  # type: ignore[arg-type]


@pytest.fixture
def room(shedder: Shedder, backlog: Backlog) -> Room:
    """Both of them."""
    return Room(shedder, backlog)


@pytest.fixture
def plans() -> FakePlans:
    """What ingest itself has heard of plans: nothing, until a test says else."""
    return FakePlans()


@pytest.fixture
def shedder() -> Shedder:
    """Counts the requests of one test."""
    return Shedder(SHED_RATE)


@asynccontextmanager
async def accepting(
    bus: RecordingBus, room: Room, ratelimit: Any, plans: FakePlans
) -> AsyncIterator[IngestServicer]:
    """Assemble ingest as `services.ingest.__main__` does; leaving waits for what was begun."""
    async with errands.running() as begun:
        limiter = Limiter(RateLimit(ratelimit, Breaker()), begun, lambda: ACCEPTED, plans.of)
        scans = ScanPublisher(bus, InFlight(MAX_IN_FLIGHT))
        acceptor = Acceptor(room, limiter, scans, begun, plans.of)
        yield IngestServicer(acceptor, lambda: ACCEPTED)


@pytest.fixture
async def channel(
    bus: RecordingBus, room: Room, ratelimit: FakeRateLimit, plans: FakePlans, verifier: Verifier
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to ingest's own port."""
    async with accepting(bus, room, ratelimit, plans) as servicer:
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
