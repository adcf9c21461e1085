"""Only a real feed breaks: a follower misses nothing, whatever happens to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.bus import Bus, Outcome
from services.chassis.provision import provision
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import FEED, MAX_BYTES, publish


class Reader:
    """Follows FEED and remembers what it read."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    async def follow(self, real: Bus, silence: timedelta) -> None:
        async for event in real.follow(FEED, since=datetime.now(UTC) - timedelta(minutes=1), silence=silence):
            self.read.append(event.payload)

    async def until(self, *payloads: bytes) -> None:
        async def all_read() -> bool:
            return set(payloads) <= set(self.read)

        await eventually(all_read, f"{payloads[-1]!r} to be read")

    def in_order_of_first_reading(self) -> list[bytes]:
        return list(dict.fromkeys(self.read))


@asynccontextmanager
async def following(real: Bus, silence: timedelta) -> AsyncIterator[Reader]:
    reader = Reader()
    task = asyncio.create_task(reader.follow(real, silence))
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


@pytest.fixture
async def reader(real: Bus, silence: timedelta) -> AsyncIterator[Reader]:
    async with following(real, silence) as reader:
        yield reader


async def say(real: Bus, first: int, last: int) -> list[bytes]:
    """Publish numbers, each until it is acked, and answer them."""
    said = [b"%d" % number for number in range(first, last + 1)]
    for payload in said:
        while await publish(real, payload, subject="feed.a", message_id=f"id-{payload}") is not Outcome.ACKED:
            await real.until_connected()
    return said


async def test_a_killed_server_costs_no_event(nats: NatsServer, real: Bus, reader: Reader) -> None:
    said = await say(real, 1, 20)
    await reader.until(b"20")
    for first in (21, 41):
        said += await say(real, first, first + 9)  # perhaps on their way when it dies
        nats.kill()
        nats.start()
        said += await say(real, first + 10, first + 19)
        await reader.until(*said)
    assert reader.in_order_of_first_reading() == said


async def test_a_frozen_server_costs_no_event(
    nats: NatsServer, real: Bus, reader: Reader, silence: timedelta
) -> None:
    said = await say(real, 1, 10)
    nats.freeze()
    saying = asyncio.create_task(say(real, 11, 20))
    await asyncio.wait([saying], timeout=3 * silence.total_seconds())
    nats.thaw()
    said += await saying
    await reader.until(*said)
    assert reader.in_order_of_first_reading() == said


async def test_a_stream_that_is_made_anew_is_read_anew(real: Bus, reader: Reader) -> None:
    await say(real, 1, 3)
    await reader.until(b"3")
    await real.jetstream.delete_stream(FEED.name)
    await provision(real.jetstream, [FEED], max_bytes=MAX_BYTES)
    await say(real, 4, 6)
    await reader.until(b"4", b"5", b"6")


async def test_a_stream_that_is_not_there_yet_is_waited_for(real: Bus, silence: timedelta) -> None:
    await real.jetstream.delete_stream(FEED.name)
    async with following(real, silence) as reader:
        await provision(real.jetstream, [FEED], max_bytes=MAX_BYTES)
        await say(real, 1, 3)
        await reader.until(b"1", b"2", b"3")


async def test_silence_is_no_reason_to_begin_anew(real: Bus, reader: Reader, silence: timedelta) -> None:
    await say(real, 1, 3)
    await reader.until(b"3")
    [before] = await real.jetstream.consumers_info(FEED.name)
    await asyncio.sleep(4 * silence.total_seconds())
    [after] = await real.jetstream.consumers_info(FEED.name)
    assert (after.name, after.push_bound) == (before.name, True)
    assert reader.read == [b"1", b"2", b"3"]


async def test_a_reader_that_the_server_forgot_begins_anew_and_leaves_nothing_behind(
    real: Bus, reader: Reader
) -> None:
    said = await say(real, 1, 3)
    await reader.until(*said)
    for number in (4, 5):
        [forgotten] = await real.jetstream.consumers_info(FEED.name)
        await real.jetstream.delete_consumer(FEED.name, forgotten.name)
        said += await say(real, number, number)
        await reader.until(*said)
    subscribed = real.jetstream._nc._subs
    assert len(subscribed) <= 2  # the answers' inbox, and the reader of now
    assert reader.in_order_of_first_reading() == said


async def test_a_slow_reader_misses_nothing(real: Bus, silence: timedelta) -> None:
    said = [b"%d" % number for number in range(3_000)]  # more than wait for a reader
    since = datetime.now(UTC) - timedelta(minutes=1)
    events = real.follow(FEED, since=since, silence=10 * silence)
    await publish(real, b"first", subject="feed.a")
    read = [(await anext(events)).payload]
    assert set(await asyncio.gather(*(publish(real, each, subject="feed.a") for each in said))) == {
        Outcome.ACKED
    }
    read += [(await anext(events)).payload for _ in said]
    await events.aclose()
    assert sorted(read) == sorted([b"first", *said])
