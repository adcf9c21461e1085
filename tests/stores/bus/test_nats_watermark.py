"""Whether everything on its way has arrived, by real queues."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.bus import Bus
from services.chassis.holdings import StreamState
from services.chassis.pull import pulling
from services.chassis.subjects import Stream
from services.chassis.watermark import passed
from tests.servers.nats import NatsServer
from tests.stores.bus.streams import QUEUE, publish


async def test_an_empty_queue_has_been_passed(real: Bus) -> None:
    assert await passed(real, [QUEUE], 2)


async def test_a_queue_with_work_has_not(real: Bus) -> None:
    await publish(real, b"one")
    assert not await passed(real, [QUEUE], 0.1)


async def test_it_waits_for_what_was_there_and_for_nothing_later(
    real: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, state = asyncio.Event(), real.state

    async def noted(stream: Stream) -> StreamState:
        answer = await state(stream)
        looked.set()
        return answer

    monkeypatch.setattr(real, "state", noted)
    await publish(real, b"one")
    async with pulling(real, QUEUE, QUEUE.durables[0]) as puller:
        (one,) = await puller.fetch(1)
        waiting = asyncio.create_task(passed(real, [QUEUE], 5))
        await looked.wait()
        await publish(real, b"two")
        assert not waiting.done()
        await one.ack()
        assert await waiting


async def test_without_a_bus_nothing_is_known(nats: NatsServer, real: Bus) -> None:
    nats.kill()
    assert not await passed(real, [QUEUE], 0.3)
