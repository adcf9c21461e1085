"""Publishing over a connection that is breaking: bounded attempts, and everybody else goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.chassis.bus import Bus, Outcome


class BreakingClient:
    """A client whose connection is gone and which has not noticed: it fails at once, without ever waiting."""

    def __init__(self) -> None:
        self.requests = 0

    async def request(self, *args: Any, **options: Any) -> Any:
        self.requests += 1
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


class BreakingConnection:
    def __init__(self) -> None:
        self.client = BreakingClient()


@pytest.mark.parametrize("publishers", [1, 50])
async def test_breaking_connection_lets_others_run_and_ends_unknown(publishers: int) -> None:
    connection = BreakingConnection()
    bus = Bus(connection)  # type: ignore[arg-type]  # as much of a connection as publishing uses
    loop = asyncio.get_running_loop()
    ticks = 0

    async def others() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    running = asyncio.create_task(others())
    deadline = loop.time() + 0.5
    outcomes = await asyncio.gather(
        *(bus.publish("s", b"x", message_id=str(n), deadline=deadline) for n in range(publishers))
    )
    running.cancel()
    assert set(outcomes) == {Outcome.UNKNOWN}
    assert connection.client.requests <= 10 * publishers
    assert ticks > 100
    assert loop.time() < deadline + 0.5
