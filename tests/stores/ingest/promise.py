"""A small world in which the real recorder runs on a real PostgreSQL, and dies between any two of its steps.

Two replicas take messages from queues in memory, the same ones now and then; each crashes, dawdles, comes back and is
handed everything that it had not acknowledged. Devices send again, scans share ids, some are poison, and an operator
replays what died. `books.py` tells what is wrong in the end.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from scanmesh.ingest.v1 import scan_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.pull import Delivery
from services.chassis.subjects import Lane
from services.ingest import dead_letters, tables
from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_record import RecordStore
from tests.fakes.scans import scan
from tests.stores.ingest.queues import NOW, Queues, submission
from tests.stores.ingest.record import Record

CALM_AFTER = 60
"""Deliveries after which nothing crashes any more, so that everything ends."""
POISON = "poison"
_REPLAYS = 3
"""How often the operator answers what is dead; some of it then still is."""


class Crash(BaseException):
    """A replica is gone."""


class MortalDatabase(Database):
    """A database whose client may die before a transaction is committed, and right after it."""

    def __init__(self, living: Database, world: World) -> None:
        super().__init__(living._engine)
        self._world = world

    @asynccontextmanager
    async def transaction(self, *, company_id: int | None = None) -> AsyncIterator[AsyncConnection]:
        await self._world.step("begin")
        async with super().transaction(company_id=company_id) as connection:
            yield connection
            await self._world.step("commit")
        await self._world.step("committed")


@dataclass
class World:
    """Everything of one run."""

    db: Database
    companies: Sequence[int]
    seed: int
    ack_first: bool = False
    """Breaks a rule: lets a message go before what derives from it is on disk."""
    queues: Queues = field(default_factory=Queues)
    accepted: set[tuple[int, str]] = field(default_factory=set)
    failures: Counter[int] = field(default_factory=Counter)
    handed_out: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.queues.step = self.step

    async def run(self) -> None:
        """Let everything happen until the queue is empty."""
        self._send()
        await asyncio.gather(self._replica(), self._replica())
        for _ in range(_REPLAYS):
            await self._replay()
            await asyncio.gather(self._replica(), self._replica())

    async def step(self, _: str) -> None:
        """Die, dawdle, or go on."""
        if self.handed_out < CALM_AFTER and self.random.random() < 0.12:
            raise Crash
        for _ in range(self.random.choice([0, 0, 1, 5])):
            await asyncio.sleep(0)

    def _send(self) -> None:
        scans = [(self.random.choice(self.companies), scan(data="1"), self._region()) for _ in range(4)]
        sent = [*scans, *self.random.choices(scans, k=2)]
        company_id, first, region = self.random.choice(scans)
        sent.append((company_id, scan(scan_id=first.scan_id, data="2"), region))
        self.random.shuffle(sent)
        while sent:
            count = self.random.randint(1, 4)
            self._accept(sent[:count])
            sent = sent[count:]

    def _region(self) -> str:
        return self.random.choice(["local", "local", "eu_west", POISON])

    def _accept(self, sent: Sequence[tuple[int, scan_pb2.Scan, str]]) -> None:
        self.accepted |= {(company_id, each.scan_id) for company_id, each, _ in sent}
        requests = [
            submission(
                company_id, each, region=region, at=NOW + timedelta(seconds=10 * self.random.randint(0, 1))
            )
            for company_id, each, region in sent
        ]
        self.queues.accept(*requests, lane=self.random.choice(list(Lane)))

    async def _replica(self) -> None:
        while self.queues.waiting:
            with suppress(Crash, Unavailable):
                mortal = MortalDatabase(self.db, self)
                recorder = Recorder(self.queues, RecordStore(mortal), Epoch(self.queues), lambda: NOW)
                while self.queues.waiting:
                    await self._work(recorder)

    async def _work(self, recorder: Recorder) -> None:
        waiting = list(self.queues.waiting)
        taken = self.random.sample(waiting, min(len(waiting), self.random.randint(1, 3)))
        deliveries = [self.queues.again(sequence) for sequence in sorted(taken)]
        self.handed_out += 1
        await self.step("taken")
        if not await self._handled(recorder, deliveries):
            for delivery in deliveries:
                await self._alone(recorder, delivery)

    async def _alone(self, recorder: Recorder, delivery: Delivery) -> None:
        if await self._handled(recorder, [delivery]):
            return
        self.failures[delivery.sequence] += 1
        if self.failures[delivery.sequence] >= 2:
            await recorder.bury(delivery, 3)
            self.queues.ack(delivery)

    async def _handled(self, recorder: Recorder, deliveries: Sequence[Delivery]) -> bool:
        if self.ack_first:
            self._acknowledge(deliveries)
        try:
            await recorder.handle(deliveries)
        except (Unavailable, ValueError):
            raise
        except Exception:  # noqa: BLE001 - what the store refuses, as `Worker` takes it
            self.queues.waiting |= {each.sequence: each for each in deliveries}
            return False
        await self.step("acknowledge")
        self._acknowledge(deliveries)
        return True

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.queues.ack(delivery)

    async def _replay(self) -> None:
        """Answer all open letters of dead scans, some of them twice."""
        if letters := self.queues.published.letters():
            await DeadLetterStore(self.db).add([dead_letters.row(letter) for letter in letters])
        open_letters = [letter for company in self.companies for letter in await self._letters(company)]
        for letter in open_letters:
            for _ in range(self.random.randint(1, 2)):
                dead = scan_pb2.Scan.FromString(letter.scan)
                request = submission(letter.company_id, dead, region=letter.region, at=letter.accept_time)
                self.queues.accept(request, lane=Lane(letter.lane), replays=letter.message_id)

    async def _letters(self, company_id: int) -> list[Any]:
        rows = await Record(self.db, company_id).rows(tables.dead_letters)
        return [row for row in rows if row.revive_time is None and row.reason == "INTERNAL"]
