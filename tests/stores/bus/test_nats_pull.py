"""Taking messages from a real work queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.pull import Delivery, Puller, pulling
from tests.servers.nats import NatsServer
from tests.stores.bus.streams import QUEUE, payloads, publish

DURABLE = QUEUE.durables[0]


@pytest.fixture
async def puller(real: Bus) -> AsyncIterator[Puller]:
    async with pulling(real, QUEUE, DURABLE) as opened:
        yield opened


def _payloads(deliveries: list[Delivery]) -> list[bytes]:
    return [delivery.payload for delivery in deliveries]


async def test_what_is_there_comes_at_once_and_a_batch_is_not_waited_for(real: Bus, puller: Puller) -> None:
    for number in range(3):
        await publish(real, b"%d" % number)
    began = time.monotonic()
    assert _payloads(await puller.fetch(100)) == [b"0", b"1", b"2"]
    assert time.monotonic() - began < 1


async def test_a_full_batch_leaves_the_rest(real: Bus, puller: Puller) -> None:
    for number in range(5):
        await publish(real, b"%d" % number)
    assert _payloads(await puller.fetch(2)) == [b"0", b"1"]
    assert _payloads(await puller.fetch(2)) == [b"2", b"3"]
    assert _payloads(await puller.fetch(2)) == [b"4"]


async def test_what_the_durable_may_not_hand_out_yet_keeps_nothing_waiting(real: Bus, puller: Puller) -> None:
    for number in range(DURABLE.max_ack_pending + 4):
        await publish(real, b"%d" % number)
    began = time.monotonic()
    first = await puller.fetch(100)
    assert len(first) == DURABLE.max_ack_pending
    assert time.monotonic() - began < 1
    for delivery in first:
        await delivery.ack()
    rest: list[Delivery] = []
    while len(rest) < 4:  # some of them may come for the first request still
        rest += await puller.fetch(100)
    assert _payloads(rest) == [b"%d" % number for number in range(8, 12)]
    assert {delivery.tries for delivery in first + rest} == {1}


async def test_what_comes_while_a_batch_is_gathered_comes_with_it(real: Bus, puller: Puller) -> None:
    await publish(real, b"0")
    fetching = asyncio.create_task(puller.fetch(3, timedelta(seconds=0.5)))
    await asyncio.sleep(0.1)
    for number in range(1, 4):
        await publish(real, b"%d" % number)
    assert _payloads(await fetching) == [b"0", b"1", b"2"]
    began = time.monotonic()
    assert _payloads(await puller.fetch(1, timedelta(seconds=5))) == [b"3"]  # a full one is not waited for
    assert time.monotonic() - began < 1


async def test_a_batch_is_gathered_no_longer_where_the_durable_may_not_hand_out_more(
    real: Bus, puller: Puller
) -> None:
    for number in range(DURABLE.max_ack_pending + 1):
        await publish(real, b"%d" % number)
    began = time.monotonic()
    assert len(await puller.fetch(100, timedelta(milliseconds=20))) == DURABLE.max_ack_pending
    assert time.monotonic() - began < 1


async def test_whoever_is_stopped_while_gathering_gives_back_what_it_has(real: Bus, puller: Puller) -> None:
    for number in range(3):
        await publish(real, b"%d" % number)
    fetching = asyncio.create_task(puller.fetch(100, timedelta(seconds=30)))
    await asyncio.sleep(0.3)
    fetching.cancel()
    await asyncio.wait([fetching])
    began = time.monotonic()
    assert sorted(_payloads(await puller.fetch(3, timedelta(seconds=1)))) == [b"0", b"1", b"2"]
    assert time.monotonic() - began < 3  # and not after `ack_wait`


async def test_one_that_comes_later_is_not_kept_waiting(real: Bus, puller: Puller) -> None:
    fetching = asyncio.create_task(puller.fetch(100))
    await asyncio.sleep(0)
    await publish(real, b"late", message_id="0a" * 16)
    (delivery,) = await asyncio.wait_for(fetching, 2)
    assert (delivery.payload, delivery.message_id, delivery.tries) == (b"late", "0a" * 16, 1)
    assert delivery.subject == "demo.a"
    assert delivery.sequence == 1


async def test_what_is_acknowledged_has_left_the_queue(real: Bus, puller: Puller) -> None:
    await publish(real, b"one")
    await publish(real, b"two")
    one, _ = await puller.fetch(2)
    await one.ack()
    await real.client.flush()
    assert await payloads(real) == [b"two"]


async def test_what_is_given_back_comes_again_and_counts(real: Bus, puller: Puller) -> None:
    await publish(real, b"one")
    (delivery,) = await puller.fetch(2)
    await delivery.again(timedelta(seconds=0.1))
    (delivery,) = await puller.fetch(2)
    assert (delivery.payload, delivery.tries) == (b"one", 2)


async def test_a_lost_connection_is_noticed_while_waiting(
    nats: NatsServer, real: Bus, puller: Puller
) -> None:
    fetching = asyncio.create_task(puller.fetch(2))
    await asyncio.sleep(0)
    nats.kill()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(fetching, 3)


async def test_what_a_dead_taker_held_comes_to_another(real: Bus, puller: Puller) -> None:
    await publish(real, b"one")
    await puller.fetch(1)
    info = await real.jetstream.consumer_info(QUEUE.name, DURABLE.name)
    assert (info.num_ack_pending, info.config.ack_wait) == (1, DURABLE.ack_wait.total_seconds())
    assert info.config.max_deliver == -1
