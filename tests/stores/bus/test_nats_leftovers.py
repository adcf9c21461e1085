"""A message that its durable has let go of and its queue has not: it is handled once more, and removed.

How the server comes to that under load is its own affair; here a removal is undone on its disk, while another message
is still out. When that is acknowledged too, the durable's floor passes both.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest

from services.chassis import leftovers, pull
from services.chassis.bus import Bus
from services.chassis.leftovers import Leftovers
from services.chassis.pull import Delivery, pulling
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import QUEUE, publish
from tests.stores.bus.test_nats_work import Book, Hands, working

DURABLE, OTHER = QUEUE.durables


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(pull, "_LINGER_SECONDS", 0.2)


async def left_behind(real: Bus, nats: NatsServer, directory: Path) -> None:
    """Leave `b` and `c` behind: acknowledged, and in the stream; `a` is acknowledged and gone."""
    for payload in (b"a", b"b", b"c"):
        await publish(real, payload)
    async with pulling(real, QUEUE, DURABLE) as puller:
        first, *others = await puller.fetch(3)
        assert len(others) == 2
        nats.stop()
        [messages] = directory.glob("store/**/streams/DEMO/msgs")
        shutil.copytree(messages, directory / "kept")
        nats.start()
        await real.until_required(QUEUE)
    async with pulling(real, QUEUE, DURABLE) as puller:
        for each in others:
            await acknowledged_late(real, each)
        await _holds(real, 1)
    nats.stop()
    shutil.rmtree(messages)
    shutil.copytree(directory / "kept", messages)
    nats.start()
    await real.until_required(QUEUE)
    await acknowledged_late(real, first)


async def acknowledged_late(real: Bus, delivery: Delivery) -> None:
    """Acknowledge a delivery of an earlier connection over that of this moment."""
    await real.client.publish(delivery.message.reply, b"+ACK")
    await real.client.flush()


async def _holds(real: Bus, number: int) -> None:
    async def holds() -> bool:
        return (await real.state(QUEUE)).messages == number

    await eventually(holds, f"the queue to hold {number}")


async def test_what_was_left_behind_is_handled_once_more_and_removed(
    real: Bus, nats: NatsServer, tmp_path: Path
) -> None:
    await left_behind(real, nats, tmp_path)
    await _holds(real, 2)
    hands = Hands()
    async with working(real, hands, Book()):
        await _holds(real, 0)
    assert Counter(hands.done) == Counter([b"b", b"c"])


async def test_what_is_out_or_to_come_is_not_taken(real: Bus) -> None:
    looking = Leftovers(real, QUEUE, DURABLE)
    for payload in (b"a", b"b", b"c", b"d"):
        await publish(real, payload)
    await publish(real, b"another's", subject=OTHER.subject)
    async with pulling(real, QUEUE, DURABLE) as puller:
        first, second, _ = await puller.fetch(3)
        await first.ack()
        await _holds(real, 4)
        for _ in range(3):
            assert await looking.due(8) == []
            await asyncio.sleep(leftovers.LOOK_SECONDS)
        await second.ack()
        await _holds(real, 3)
        assert await looking.due(8) == []
