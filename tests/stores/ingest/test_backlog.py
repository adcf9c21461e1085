"""The backlog of a real stream: it fills until it refuses, and the lanes that may wait are refused before."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.chassis import bus
from services.chassis.bus import Bus, Outcome
from services.chassis.provision import provision
from services.chassis.subjects import SCANS, Lane, scan_accepted
from services.ingest.backlog import Backlog
from tests.servers.nats import NatsServer

SCANS_BYTES = 100 * 1_024
MESSAGE = secrets.token_bytes(2_048)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def connected(nats: NatsServer) -> AsyncIterator[Bus]:
    async with bus.connected(nats.url, "tests") as connected:
        await connected.until_connected()
        await provision(connected.jetstream, [SCANS], max_bytes=SCANS_BYTES * 100 // SCANS.percent)
        yield connected


async def publish(connected: Bus) -> Outcome:
    deadline = asyncio.get_running_loop().time() + 5
    return await connected.publish(
        scan_accepted(Lane.PREMIUM), MESSAGE, message_id=secrets.token_hex(16), deadline=deadline
    )


async def test_a_stream_that_fills_refuses_bulk_then_standard_then_everybody(connected: Bus) -> None:
    backlog, refused, sent = Backlog(connected), {}, 0
    while await publish(connected) is Outcome.ACKED:
        sent += len(MESSAGE)
        await backlog.look()
        for lane in Lane:
            if backlog.overload(lane) is not None:
                refused.setdefault(lane, sent / SCANS_BYTES)
    assert refused == {
        Lane.BULK: pytest.approx(0.5, abs=0.06),
        Lane.STANDARD: pytest.approx(0.8, abs=0.06),
    }
    assert sent / SCANS_BYTES > 0.9
