"""Buses to test: one in memory, and a real one whose server tests may stop, freeze and kill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from services.chassis import bus
from services.chassis.bus import Bus
from services.chassis.subjects import Stream
from tests.fakes.bus import RecordingBus
from tests.servers.nats import NatsServer
from tests.stores.bus import streams


class Site(Protocol):
    """A bus with the streams of `streams.py`, and a way to take it down."""

    bus: Bus

    def stop(self) -> None: ...
    async def start(self) -> None: ...
    async def stored(self, stream: Stream = streams.QUEUE) -> list[bytes]: ...


class FakeSite:
    def __init__(self) -> None:
        self.bus = RecordingBus(*streams.STREAMS)

    def stop(self) -> None:
        self.bus.up = False

    async def start(self) -> None:
        self.bus.up = True

    async def stored(self, stream: Stream = streams.QUEUE) -> list[bytes]:
        return [message.payload for message in self.bus.stored if message.subject in stream.subjects]


class NatsSite:
    def __init__(self, server: NatsServer, connected: Bus) -> None:
        self.bus = connected
        self._server = server

    def stop(self) -> None:
        self._server.stop()

    async def start(self) -> None:
        self._server.start()
        await self.bus.until_connected()

    async def stored(self, stream: Stream = streams.QUEUE) -> list[bytes]:
        return await streams.payloads(self.bus, stream)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of this test's own: it starts in the time of a request, and many tests kill it."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def real(nats: NatsServer) -> AsyncIterator[Bus]:
    """A bus on `nats`, its streams made."""
    async with bus.connected(nats.url, "tests") as connected:
        await streams.make(connected)
        yield connected


@pytest.fixture(params=["fake", "nats"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Each of the buses in turn."""
    if request.param == "fake":
        yield FakeSite()
        return
    server = request.getfixturevalue("nats")
    async with bus.connected(server.url, "tests") as connected:
        await streams.make(connected)
        yield NatsSite(server, connected)


@pytest.fixture
def silence() -> timedelta:
    """The longest that a healthy stream of these tests says nothing."""
    return timedelta(seconds=0.5)
