"""The whole process `record` on a real NATS and a real PostgreSQL: queues drain, through poison, into the tables."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from scanmesh.enrichment.v1 import events_pb2 as enrichment_pb2
from scanmesh.ingest.v1 import events_pb2

from services.chassis import bus, clock, ids, subjects, wire
from services.chassis.provision import provision
from services.chassis.subjects import DEADLETTER, SCANS, SCANS_TALLIED, TALLY, USAGE, Lane
from services.ingest import tables
from services.ingest.recording import recording
from tests.fakes.scans import scan
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.ingest.queues import SCANNER, submission
from tests.stores.ingest.test_poison import POISON, refusal


@pytest.fixture
async def nats(tmp_path):
    server = NatsServer(tmp_path)
    server.start()
    try:
        async with bus.connected(server.url, "tests") as connected:
            await connected.until_connected()
            await provision(connected.jetstream, subjects.STREAMS, max_bytes=2**29)
            yield connected
    finally:
        server.kill()


@asynccontextmanager
async def running(nats, db):
    """The process's work, until left; work that ends by itself fails the test."""
    tasks = [asyncio.create_task(work) for work in recording(nats, db, clock.now)]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def publish(nats, subject, event):
    message_id = ids.message_id()
    deadline = asyncio.get_running_loop().time() + 5
    await nats.publish(subject, event.SerializeToString(), message_id=message_id, deadline=deadline)
    return message_id


async def accept(nats, *requests, lane=Lane.STANDARD):
    event = events_pb2.ScansAccepted(derivation_version=1, submissions=requests)
    return await publish(nats, subjects.scan_accepted(lane), event)


async def drained(nats, *streams):
    async def empty():
        return all([(await nats.state(stream)).messages == 0 for stream in streams])

    await eventually(empty, f"{[stream.name for stream in streams]} to be empty", seconds=30)


async def test_every_lane_is_recorded_and_tallied(nats, db, record):
    now = clock.now()
    scans = [scan() for _ in range(30)]
    for index, each in enumerate(scans):
        lane = list(Lane)[index % 3]
        await accept(nats, submission(record.company_id, each, at=now), lane=lane)
        await accept(nats, submission(record.company_id, each, at=now), lane=lane)
    tally = enrichment_pb2.Tally(
        company_id=record.company_id,
        scanner_id=SCANNER,
        kind="barcode",
        region="local",
        minute_time=wire.timestamp(now.replace(second=0, microsecond=0)),
        enriched=30,
    )
    event = enrichment_pb2.ScansTallied(event_id=str(ids.uuid7()), tallies=[tally])
    await publish(nats, SCANS_TALLIED, event)
    await publish(nats, SCANS_TALLIED, event)
    async with running(nats, db):
        await drained(nats, SCANS, TALLY, DEADLETTER)

    assert await record.stored() == sorted(each.scan_id for each in scans)
    assert await record.counted() == (30, 30)
    assert sum(row.enriched for row in await record.rows(tables.rollup_hours)) == 30
    assert (await nats.state(USAGE)).messages == 30
    assert {row.lane for row in await record.rows(tables.scan_events)} == set(Lane)


async def test_poison_dies_alone_and_its_letter_is_kept(nats, db, record, owner):
    now = clock.now()
    good, bad = scan(), scan()
    async with refusal(owner), running(nats, db):
        died = await accept(
            nats,
            submission(record.company_id, good, at=now),
            submission(record.company_id, bad, region=POISON, at=now),
        )
        await publish(nats, subjects.scan_accepted(Lane.BULK), events_pb2.ScansAccepted(derivation_version=0))
        await drained(nats, SCANS, DEADLETTER)
    assert await record.stored() == [good.scan_id]
    (letter,) = await record.rows(tables.dead_letters)
    assert (letter.message_id, str(letter.scan_id), letter.tries) == (died, bad.scan_id, 3)
