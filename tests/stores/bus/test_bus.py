"""What every bus promises, the one in memory and the real one alike."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.bus import MAX_PAYLOAD_BYTES, Outcome
from services.chassis.errors import Unavailable
from services.chassis.subjects import Stream
from tests.stores.bus.conftest import Site
from tests.stores.bus.streams import FEED, QUEUE, publish

MISSING = Stream(name="MISSING", subjects=("missing.a",))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_an_acked_message_is_in_the_stream_once(site: Site) -> None:
    assert await publish(site.bus, b"one") is Outcome.ACKED
    assert await site.stored() == [b"one"]


async def test_the_same_id_twice_is_acked_twice_and_stored_once(site: Site) -> None:
    assert await publish(site.bus, b"one", message_id="same") is Outcome.ACKED
    assert await publish(site.bus, b"one", message_id="same") is Outcome.ACKED
    assert await site.stored() == [b"one"]


async def test_the_same_bytes_under_another_id_are_another_message(site: Site) -> None:
    await publish(site.bus, b"one", message_id="first")
    await publish(site.bus, b"one", message_id="second")
    assert await site.stored() == [b"one", b"one"]


async def test_messages_are_stored_in_the_order_of_their_acks(site: Site) -> None:
    for index in range(10):
        await publish(site.bus, b"%d" % index, subject=QUEUE.subjects[index % 2])
    assert await site.stored() == [b"%d" % index for index in range(10)]


async def test_messages_published_together_are_all_stored(site: Site) -> None:
    sent = [b"%d" % index for index in range(200)]
    outcomes = await asyncio.gather(*(publish(site.bus, each) for each in sent))
    assert set(outcomes) == {Outcome.ACKED}
    assert sorted(await site.stored()) == sorted(sent)


async def test_a_subject_of_no_stream_is_refused(site: Site) -> None:
    assert await publish(site.bus, b"one", subject="nobody.listens") is Outcome.REFUSED
    assert await site.stored() == []


async def test_after_the_deadline_nothing_is_published(site: Site) -> None:
    assert await publish(site.bus, b"late", seconds=-1) is Outcome.REFUSED
    assert await site.stored() == []


async def test_the_largest_message_is_taken(site: Site) -> None:
    assert await publish(site.bus, bytes(MAX_PAYLOAD_BYTES)) is Outcome.ACKED
    assert [len(payload) for payload in await site.stored()] == [MAX_PAYLOAD_BYTES]


async def test_a_larger_message_is_a_fault_of_the_caller_and_harms_no_other(site: Site) -> None:
    with pytest.raises(ValueError, match="bytes"):
        await publish(site.bus, bytes(MAX_PAYLOAD_BYTES + 1))
    assert await publish(site.bus, b"one") is Outcome.ACKED


async def test_while_it_is_down_everything_is_refused_and_nothing_is_kept_for_later(site: Site) -> None:
    site.stop()
    await asyncio.gather(*(refused_soon(site) for _ in range(20)))
    await site.start()
    assert await publish(site.bus, b"after") is Outcome.ACKED
    assert await site.stored() == [b"after"]


async def test_it_says_whether_it_is_up(site: Site) -> None:
    await site.bus.ping()
    site.stop()
    await refused_soon(site)
    with pytest.raises(Unavailable):
        await site.bus.ping()
    with pytest.raises(Unavailable):
        await site.bus.require(QUEUE)
    await site.start()
    await site.bus.ping()


async def test_it_says_whether_a_stream_is_there(site: Site) -> None:
    await site.bus.require(QUEUE, FEED)
    with pytest.raises(Unavailable):
        await site.bus.require(QUEUE, MISSING)


async def test_a_follower_reads_everything_in_order_and_goes_on(site: Site, silence: timedelta) -> None:
    for index in range(5):
        await publish(site.bus, b"%d" % index, subject="feed.a")
    async with aclosing(site.bus.follow(FEED, since=LONG_AGO, silence=silence)) as events:
        read = [(await anext(events)).payload for _ in range(5)]
        await publish(site.bus, b"5", subject="feed.a")
        last = await anext(events)
    assert [*read, last.payload] == [b"%d" % index for index in range(6)]
    assert last.subject == "feed.a"
    assert datetime.now(UTC) - last.stored < timedelta(minutes=1)


async def test_a_follower_reads_from_where_it_wants_to(site: Site, silence: timedelta) -> None:
    await publish(site.bus, b"before", subject="feed.a")
    async with aclosing(site.bus.follow(FEED, since=LONG_AGO, silence=silence)) as events:
        before = await anext(events)
    await publish(site.bus, b"after", subject="feed.a")
    since = before.stored + timedelta(microseconds=1)
    async with aclosing(site.bus.follow(FEED, since=since, silence=silence)) as events:
        assert (await anext(events)).payload == b"after"


async def test_every_follower_reads_everything(site: Site, silence: timedelta) -> None:
    async def read_three() -> list[bytes]:
        async with aclosing(site.bus.follow(FEED, since=LONG_AGO, silence=silence)) as events:
            return [(await anext(events)).payload for _ in range(3)]

    reading = [asyncio.create_task(read_three()) for _ in range(3)]
    for payload in (b"a", b"b", b"c"):
        await publish(site.bus, payload, subject="feed.a")
    assert await asyncio.gather(*reading) == [[b"a", b"b", b"c"]] * 3


async def refused_soon(site: Site) -> None:
    """Publish until the loss of the connection is noticed: then a refusal comes at once."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 5
    while True:
        begun = loop.time()
        outcome = await publish(site.bus, b"while it is down", seconds=0.3)
        if outcome is Outcome.REFUSED:
            assert loop.time() - begun < 0.1
            return
        assert loop.time() < deadline
