"""Only a real server has streams: what provisioning makes of them, and what it refuses to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from nats.js import api

from services.chassis import bus, subjects
from services.chassis.bus import Bus, Outcome
from services.chassis.errors import Unavailable
from services.chassis.provision import ProvisioningError, provision
from services.chassis.subjects import Durable
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import FEED, MAX_BYTES, QUEUE, payloads, publish


async def test_a_queue_keeps_everything_until_a_worker_has_it(real: Bus) -> None:
    config = (await real.jetstream.stream_info(QUEUE.name)).config
    assert config.retention == api.RetentionPolicy.WORK_QUEUE
    assert config.discard == api.DiscardPolicy.NEW
    assert config.storage == api.StorageType.FILE
    assert (config.max_bytes, config.max_age) == (MAX_BYTES, 0)
    assert config.subjects == list(QUEUE.subjects)


async def test_durables_take_exactly_their_subject_and_never_give_up(real: Bus) -> None:
    for durable in QUEUE.durables:
        config = (await real.jetstream.consumer_info(QUEUE.name, durable.name)).config
        assert config.filter_subject == durable.subject
        assert config.ack_policy == api.AckPolicy.EXPLICIT
        assert (config.max_deliver, config.ack_wait) == (-1, 10)
        assert config.max_ack_pending == durable.max_ack_pending


async def test_a_feed_forgets_what_is_old(real: Bus) -> None:
    config = (await real.jetstream.stream_info(FEED.name)).config
    assert config.retention == api.RetentionPolicy.LIMITS
    assert config.discard == api.DiscardPolicy.OLD
    assert config.max_age == timedelta(hours=1).total_seconds()
    assert config.allow_msg_ttl


async def test_the_streams_of_the_mesh_can_be_made(nats: NatsServer) -> None:
    async with bus.connected(nats.url, "tests") as empty:
        await empty.until_connected()
        with pytest.raises(Unavailable):
            await empty.require(*subjects.STREAMS)
        await provision(empty.jetstream, subjects.STREAMS, max_bytes=MAX_BYTES)
        await empty.require(*subjects.STREAMS)


async def test_provisioning_again_changes_nothing_and_loses_nothing(real: Bus) -> None:
    await publish(real, b"one")
    before = await everything(real)
    await provision(real.jetstream, [QUEUE, FEED], max_bytes=MAX_BYTES)
    assert await everything(real) == before
    assert await payloads(real) == [b"one"]


async def test_provisioning_brings_limits_up_to_date(real: Bus) -> None:
    wider = replace(QUEUE, durables=(replace(QUEUE.durables[0], max_ack_pending=99), QUEUE.durables[1]))
    await provision(real.jetstream, [wider], max_bytes=2 * MAX_BYTES)
    assert (await real.jetstream.stream_info(QUEUE.name)).config.max_bytes == 2 * MAX_BYTES
    assert (await real.jetstream.consumer_info(QUEUE.name, "demo-a")).config.max_ack_pending == 99


@pytest.mark.parametrize("other", ["demo.b", "demo.*", "demo.>"])
async def test_a_durable_that_filters_something_else_is_left_alone(real: Bus, other: str) -> None:
    """JetStream itself would widen the filter, and one lane's messages would be taken by two."""
    widened = replace(QUEUE, durables=(Durable("demo-a", other, 8),))
    with pytest.raises(ProvisioningError, match=r"demo-a filters demo\.a, not"):
        await provision(real.jetstream, [widened], max_bytes=MAX_BYTES)
    config = (await real.jetstream.consumer_info(QUEUE.name, "demo-a")).config
    assert config.filter_subject == "demo.a"


async def test_a_durable_that_filters_several_subjects_is_left_alone(real: Bus) -> None:
    await real.jetstream.delete_consumer(QUEUE.name, "demo-a")
    await real.jetstream.delete_consumer(QUEUE.name, "demo-b")
    several = api.ConsumerConfig(durable_name="demo-a", filter_subjects=["demo.a", "demo.b"])
    await real.jetstream.add_consumer(QUEUE.name, several)
    with pytest.raises(ProvisioningError):
        await provision(real.jetstream, [QUEUE], max_bytes=MAX_BYTES)


async def test_a_queue_keeps_messages_for_which_no_worker_runs(real: Bus) -> None:
    for subject in QUEUE.subjects:
        assert await publish(real, subject.encode(), subject=subject) is Outcome.ACKED
    assert await payloads(real) == [b"demo.a", b"demo.b"]

    async def pending() -> bool:  # the server counts what came a moment after it has acknowledged it
        infos = [await real.jetstream.consumer_info(QUEUE.name, durable.name) for durable in QUEUE.durables]
        return [info.num_pending for info in infos] == [1, 1]

    await eventually(pending, "every durable to have its message")


async def test_a_missing_durable_is_missed(real: Bus) -> None:
    await real.require(QUEUE)
    await real.jetstream.delete_consumer(QUEUE.name, "demo-b")
    with pytest.raises(Unavailable):
        await real.require(QUEUE)


async def test_a_message_may_leave_a_feed_before_the_others(real: Bus) -> None:
    await publish(real, b"stays", subject="feed.a")
    await publish(real, b"goes", subject="feed.a", ttl=timedelta(seconds=1))

    async def gone() -> bool:
        return (await real.jetstream.stream_info(FEED.name)).state.messages == 1

    assert not await gone()
    await eventually(gone, "the message to expire")


async def everything(real: Bus) -> list[object]:
    """Every setting of the streams and durables."""
    streams = [(await real.jetstream.stream_info(stream.name)).config for stream in (QUEUE, FEED)]
    durables = [
        (await real.jetstream.consumer_info(QUEUE.name, durable.name)).config for durable in QUEUE.durables
    ]
    return [*streams, *durables]
