"""Buckets on a real server: compare and set, and replicas that know them by heart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import DecodeError

from services.chassis import bus
from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.feed import Event
from services.chassis.keyvalue import Bucket, Replica
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import BUCKET

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_a_key_never_set_has_no_entry(real: Bus) -> None:
    assert await Bucket(real, BUCKET).get("company.7") is None


async def test_a_key_is_set_only_after_the_entry_that_was_seen(real: Bus) -> None:
    bucket = Bucket(real, BUCKET)
    assert await bucket.put("company.7", b"one", after=0)
    first = await bucket.get("company.7")
    assert first is not None
    assert first.value == b"one"
    assert not await bucket.put("company.7", b"slow", after=0)
    assert await bucket.put("company.7", b"two", after=first.sequence)
    assert not await bucket.put("company.7", b"late", after=first.sequence)
    now = await bucket.get("company.7")
    assert now is not None
    assert now.value == b"two"


async def test_keys_do_not_know_of_each_other(real: Bus) -> None:
    bucket = Bucket(real, BUCKET)
    assert await bucket.put("a.1", b"one", after=0)
    assert await bucket.put("a.2", b"two", after=0)
    assert (await bucket.get("a.1")).value == b"one"  # type: ignore[union-attr]


async def test_a_replica_learns_what_stands_there_and_then_what_changes(real: Bus) -> None:
    bucket, learned = Bucket(real, BUCKET), dict[str, bytes]()
    for key in ("a", "b"):
        await bucket.put(key, b"old", after=0)
    replica = Replica(real, BUCKET, learned.__setitem__)
    running = asyncio.create_task(replica.run())
    async with asyncio.timeout(5):
        await replica.loaded.wait()
    assert learned == {"a": b"old", "b": b"old"}
    entry = await bucket.get("a")
    assert entry is not None
    await bucket.put("a", b"new", after=entry.sequence)
    await _until(lambda: learned["a"] == b"new")
    await _ended(running)


async def test_an_empty_bucket_is_loaded_at_once(real: Bus) -> None:
    replica = Replica(real, BUCKET, lambda _key, _value: None)
    running = asyncio.create_task(replica.run())
    async with asyncio.timeout(5):
        await replica.loaded.wait()
    await _ended(running)


async def test_a_replica_goes_on_after_an_outage_and_over_bytes_it_cannot_read(
    nats: NatsServer, real: Bus
) -> None:
    bucket, learned = Bucket(real, BUCKET), dict[str, bytes]()

    def learn(key: str, value: bytes) -> None:
        if value == b"odd":
            raise DecodeError
        learned[key] = value

    replica = Replica(real, BUCKET, learn)
    running = asyncio.create_task(replica.run())
    await bucket.put("a", b"odd", after=0)
    await bucket.put("b", b"one", after=0)
    await _until(lambda: learned == {"b": b"one"})
    nats.kill()
    nats.start()
    await real.until_connected()
    await bucket.put("c", b"two", after=0)
    await _until(lambda: learned.get("c") == b"two")
    await _ended(running)


async def test_a_key_is_heard_when_the_last_replica_is_done_with_it(nats: NatsServer, real: Bus) -> None:
    bucket, learned = Bucket(real, BUCKET), dict[str, bytes]()
    running = asyncio.create_task(Replica(real, BUCKET, learned.__setitem__).run())
    async with _reading(nats, real) as slow:
        await _until(lambda: learned == {"a": b"one"})
        with pytest.raises(Unavailable):
            await bucket.heard("a", _soon(0.2))
        second = asyncio.create_task(anext(slow))  # whoever asks for the next one is done with this one
        await bucket.heard("a", _soon(5))
        second.cancel()
        await asyncio.wait([second])
    await _ended(running)


async def test_a_replica_that_lost_its_connection_is_waited_for_until_the_server_forgets_it(
    nats: NatsServer, real: Bus
) -> None:
    async with _reading(nats, real):
        pass
    with pytest.raises(Unavailable):
        await Bucket(real, BUCKET).heard("a", _soon(0.2))
    await Bucket(real, BUCKET).heard("a", _soon(5))


async def test_a_key_that_is_lost_is_heard_by_nobody(real: Bus) -> None:
    with pytest.raises(Unavailable):
        await Bucket(real, BUCKET).heard("a", _soon(5))


async def test_without_the_bus_it_is_not_known_who_has_heard(nats: NatsServer, real: Bus) -> None:
    nats.kill()
    with pytest.raises(Unavailable):
        await real.heard(BUCKET, 0)


@asynccontextmanager
async def _reading(nats: NatsServer, real: Bus) -> AsyncIterator[AsyncIterator[Event]]:
    """Put `a`, and yield a follower that has read it and is not done with it; in the end it loses its connection."""
    await Bucket(real, BUCKET).put("a", b"one", after=0)
    async with bus.connected(nats.url, "tests") as own:
        await own.until_connected()
        events = own.follow(BUCKET, since=LONG_AGO, silence=timedelta(minutes=1))
        await anext(events)
        yield events
    await events.aclose()  # type: ignore[attr-defined]  # it is a generator


def _soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def _until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds, "the replica to have learned it")


async def _ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
