"""What each user of the bus may do, tried on the server: a permission that is missing shows as silence there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local import nats
from deploy.local.site import Site
from services.chassis import bus, ids, subjects
from services.chassis.bus import Bus, Outcome
from services.chassis.errors import Unavailable
from services.chassis.keyvalue import Bucket, Replica
from services.chassis.pull import pulling
from services.chassis.settings import Secret
from services.chassis.subjects import PLANS, TOTALS, Durable, Stream

TAKERS = [
    ("ingest", subjects.SCANS),
    ("ingest", subjects.TALLY),
    ("ingest", subjects.DEADLETTER),
    ("enrichment", subjects.RECORDED),
    ("billing", subjects.USAGE),
]
FOLLOWERS = [
    *((user, PLANS) for user in ("auth", "ingest", "ratelimit", "enrichment")),
    ("ratelimit", TOTALS),
]


@asynccontextmanager
async def connected(site: Site, user: str) -> AsyncIterator[Bus]:
    async with bus.connected(Secret(nats.url(site, user)), user) as opened:
        await opened.until_connected()
        yield opened


async def publish(site: Site, user: str, subject: str, *, seconds: float = 5.0) -> Outcome:
    async with connected(site, user) as opened:
        deadline = asyncio.get_running_loop().time() + seconds
        return await opened.publish(subject, b"x", message_id=ids.message_id(), deadline=deadline)


async def take(site: Site, user: str, stream: Stream, durable: Durable) -> None:
    """Take a message and acknowledge it."""
    async with connected(site, user) as opened, pulling(opened, stream, durable) as puller:
        [delivery] = await puller.fetch(1)
        await delivery.ack()


@pytest.mark.parametrize(("user", "stream"), TAKERS, ids=lambda each: getattr(each, "name", each))
async def test_queue_is_emptied_by_its_service(provisioned: Site, user: str, stream: Stream) -> None:
    async with connected(provisioned, user) as opened:
        await opened.require(stream)
        for durable in stream.durables:
            assert await publish(provisioned, "inspector", durable.subject) is Outcome.ACKED
            await take(provisioned, user, stream, durable)
        async with asyncio.timeout(5):
            while (await opened.state(stream)).messages:  # noqa: ASYNC110 - an acknowledgement has no answer
                await asyncio.sleep(0.02)


async def test_queue_is_closed_to_other_services(provisioned: Site) -> None:
    [durable] = subjects.USAGE.durables
    assert await publish(provisioned, "ingest", durable.subject) is Outcome.ACKED
    with pytest.raises(Unavailable):
        await take(provisioned, "ingest", subjects.USAGE, durable)
    await take(provisioned, "billing", subjects.USAGE, durable)


async def test_nobody_else_can_tell_a_plan(provisioned: Site) -> None:
    outcome = await publish(provisioned, "ingest", "$KV.plans.company.7", seconds=0.3)
    assert outcome is not Outcome.ACKED
    async with connected(provisioned, "billing") as opened:
        assert await Bucket(opened, PLANS).get("company.7") is None


@pytest.mark.parametrize("stream", [PLANS, TOTALS], ids=lambda each: each.name)
async def test_billing_writes_and_reads_its_buckets(provisioned: Site, stream: Stream) -> None:
    async with connected(provisioned, "billing") as opened:
        bucket = Bucket(opened, stream)
        assert await bucket.put("written", b"1", after=0)
        entry = await bucket.get("written")
        assert entry is not None
        assert entry.value == b"1"


@pytest.mark.parametrize(("user", "stream"), FOLLOWERS, ids=lambda each: getattr(each, "name", each))
async def test_bucket_is_followed(provisioned: Site, user: str, stream: Stream) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with connected(provisioned, user) as opened, asyncio.TaskGroup() as tasks:
        replica = Replica(opened, stream, lambda key, _: heard.put_nowait(key))
        running = tasks.create_task(replica.run())
        async with asyncio.timeout(5):
            await replica.loaded.wait()
            async with connected(provisioned, "billing") as writer:
                await Bucket(writer, stream).put(f"by-{user}", b"1", after=0)
                while await heard.get() != f"by-{user}":
                    pass
                if stream.acknowledged:
                    await Bucket(writer, stream).heard(f"by-{user}", asyncio.get_running_loop().time() + 5)
        running.cancel()
