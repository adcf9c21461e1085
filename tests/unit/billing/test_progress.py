"""The watermark passes nothing that is not in the ledger, whatever happens between its looks."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from datetime import UTC, datetime, timedelta

import pytest

from services.billing.progress import Progress
from services.chassis import subjects
from services.chassis.errors import Unavailable
from services.chassis.holdings import StreamState

START = datetime(2026, 11, 30, 23, 58, tzinfo=UTC)
EMPTY = StreamState(
    first_sequence=1, last_sequence=0, messages=0, size=0, max_size=1, time=START, oldest=None, epoch="epoch"
)


class Queue:
    """A work queue: messages leave it in any order."""

    def __init__(self):
        self.messages = {}
        self.last = 0

    def add(self, message, now):
        self.last += 1
        self.messages[self.last] = (message, now)

    def state(self, now):
        first = min(self.messages, default=self.last + 1)
        oldest = now - self.messages[first][1] if self.messages else None
        return dataclasses.replace(
            EMPTY, first_sequence=first, last_sequence=self.last, messages=len(self.messages), oldest=oldest
        )


class Mesh:
    """Scans on their way to the ledger, moved on by chance; it stands in for bus and store of `Progress`."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.now = START
        self.in_flight = []
        self.queues = {subjects.SCANS.name: Queue(), subjects.USAGE.name: Queue()}
        self.ledger = set()
        self.accepted = []
        self.watermark = START - timedelta(days=1)
        self.up, self.stalled = True, False
        self.moves = 0

    async def state(self, stream):
        self.step()  # anything may happen between two looks
        if not self.up:
            raise Unavailable("down")
        return self.queues[stream.name].state(self.now)

    async def advance(self, to):
        late = [scan for scan in self.accepted if scan < to and scan not in self.ledger]
        assert not late, f"the watermark {to} has passed {late}"
        self.moves += to > self.watermark
        self.watermark = max(self.watermark, to)

    def step(self):
        onwards = [self.publish] * 2 + [self.record] * 3 + [self.book] * 3
        for _ in range(self.chance.randrange(8)):
            self.chance.choice([self.accept, self.wait, self.fail, *onwards])()

    def accept(self):
        self.accepted.append(self.now)
        self.in_flight.append(self.now)

    def publish(self):
        if self.in_flight:
            scan = self.in_flight.pop(self.chance.randrange(len(self.in_flight)))
            self.queues["SCANS"].add(scan, self.now)

    def record(self):
        if not self.stalled:
            self.move("SCANS", lambda scan: self.queues["USAGE"].add(scan, self.now))

    def book(self):
        self.move("USAGE", self.ledger.add)

    def move(self, name, onwards):
        """Hand a message on; sometimes its acknowledgement is lost, and it stays."""
        messages = self.queues[name].messages
        if messages:
            sequence = self.chance.choice(list(messages))
            onwards(messages[sequence][0])
            if self.chance.random() < 0.8:
                del messages[sequence]

    def wait(self):
        """Let time pass; whoever publishes has given up, or published, after 10 s."""
        self.now += timedelta(seconds=self.chance.uniform(0, 4))
        for scan in [scan for scan in self.in_flight if self.now - scan > timedelta(seconds=6)]:
            self.in_flight.remove(scan)
            self.queues["SCANS"].add(scan, self.now)

    def fail(self):
        self.up = self.chance.random() < 0.9
        self.stalled = self.chance.random() < 0.5


class Hasty(Mesh):
    """Shows USAGE as it was before SCANS was looked at: the wrong order."""

    usage = None

    async def state(self, stream):
        if stream is subjects.USAGE:
            return self.usage
        self.usage = await super().state(subjects.USAGE)
        return await super().state(stream)


async def run(mesh, looks=300):
    progress = Progress(mesh, mesh, None, lambda: mesh.now)
    for _ in range(looks):
        try:
            await progress.look()
        except Unavailable:
            mesh.up = True


@pytest.mark.parametrize("seed", range(50))
async def test_the_watermark_passes_nothing_that_is_not_in_the_ledger(seed):
    mesh = Mesh(seed)
    await run(mesh)
    assert mesh.moves > 5


async def test_the_model_sees_a_watermark_that_looks_in_the_wrong_order():
    outcomes = await asyncio.gather(*(run(Hasty(seed)) for seed in range(20)), return_exceptions=True)
    assert any("has passed" in str(outcome) for outcome in outcomes)


async def test_while_the_clock_of_the_bus_is_set_back_the_watermark_stands_still():
    mesh = Mesh(0)
    mesh.step = lambda: None
    mesh.queues["SCANS"].add(START - timedelta(hours=2), START + timedelta(hours=1))
    await run(mesh, looks=3)
    assert mesh.moves == 0
    mesh.now += timedelta(hours=1)
    await run(mesh, looks=3)
    assert mesh.moves == 1


async def test_without_the_bus_the_watermark_stands_still():
    mesh = Mesh(0)
    mesh.step = lambda: None
    mesh.up = False
    progress = Progress(mesh, mesh, None, lambda: mesh.now)
    with pytest.raises(Unavailable):
        await progress.look()
    assert mesh.moves == 0
