"""The whole process on real servers: what is recorded is enriched, lane by lane, and leaves its queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from scanmesh.enrichment.v1 import events_pb2

from services.chassis import bus, subjects
from services.chassis.bus import Bus, Outcome
from services.chassis.provision import provision
from services.chassis.subjects import RECORDED, Kind, Lane
from services.enrichment.__main__ import Outside, workers
from services.enrichment.results import State
from tests.fakes.identities import COMPANY_ID
from tests.fakes.recorded import recorded, scan_ids
from tests.fakes.scans import scan
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually


@pytest.fixture
async def nats(tmp_path) -> AsyncIterator[Bus]:
    server = NatsServer(tmp_path)
    server.start()
    try:
        async with bus.connected(server.url, "test") as connected:
            await connected.until_connected()
            await provision(connected.jetstream, subjects.STREAMS, max_bytes=2**28)
            yield connected
    finally:
        server.stop()


async def publish(nats, lane, event):
    """Put an event where the recorder puts it."""
    deadline = asyncio.get_running_loop().time() + 5
    outcome = await nats.publish(
        subjects.scan_recorded(lane, Kind.BARCODE),
        event.SerializeToString(),
        message_id=event.event_id,
        deadline=deadline,
    )
    assert outcome is Outcome.ACKED


async def empty(nats):
    return (await nats.state(RECORDED)).messages == 0


async def enriched(nats):
    """Everything that watchers of the company were told."""
    messages = (await nats.state(subjects.ENRICHED)).last_sequence
    jetstream = nats.jetstream
    stored = [await jetstream.get_msg("ENRICHED", sequence) for sequence in range(1, messages + 1)]
    return [events_pb2.ScansEnriched.FromString(message.data) for message in stored]


@pytest.fixture
async def working(nats, worker_db):
    """Two processes' workers."""
    running = [
        asyncio.create_task(worker.run()) for _ in range(2) for worker in workers(Outside(worker_db, nats))
    ]
    yield running
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_every_lane_is_enriched_and_its_queue_emptied(nats, working, store):
    events = [recorded(scan(), scan()) for _ in Lane]
    for lane, event in zip(Lane, events, strict=True):
        await publish(nats, lane, event)
    await eventually(lambda: empty(nats), "the queue to be empty")
    told = await enriched(nats)
    ids = sorted(str(scan_id) for event in events for scan_id in scan_ids(event))
    assert sorted(each.enrichment.scan_id for message in told for each in message.scans) == ids
    for event in events:
        for scan_id in scan_ids(event):
            assert (await store.find(COMPANY_ID, scan_id)).state is State.OK
    tallies = await nats.state(subjects.TALLY)
    assert tallies.messages == len(events)


async def test_what_nobody_can_read_leaves_the_queue_as_a_letter_and_its_neighbours_go_on(
    nats, working, store
):
    good, bad = recorded(), recorded(scan(scan_id="nobody's"))
    await publish(nats, Lane.PREMIUM, bad)
    await publish(nats, Lane.PREMIUM, good)
    await eventually(lambda: empty(nats), "the queue to be empty", seconds=20)
    (scan_id,) = scan_ids(good)
    assert (await store.find(COMPANY_ID, scan_id)).state is State.OK
    assert (await nats.state(subjects.DEADLETTER)).messages == 1
