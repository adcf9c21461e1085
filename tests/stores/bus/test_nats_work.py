"""Working off a real queue: once or again, and nothing that fails stops the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from services.chassis import work
from services.chassis.bus import Bus
from services.chassis.errors import Unavailable
from services.chassis.pull import Delivery
from services.chassis.subjects import Durable
from services.chassis.work import Worker
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import QUEUE, publish

DURABLE = QUEUE.durables[0]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_AGAIN", timedelta(milliseconds=20))


class Book:
    """Attempts in memory, as `tests/stores/database/test_attempts.py` shows the real ones to be."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    async def add(self, durable: Durable, message_id: str) -> int:
        self.failures[message_id] += 1
        return self.failures[message_id]

    async def take_back(self, durable: Durable, message_id: str) -> None:
        self.failures[message_id] -= 1


@dataclass
class Hands:
    """A handler that writes down what it is given, and fails as it is told."""

    poison: set[bytes] = field(default_factory=set)
    away: bool = False
    killing: set[bytes] = field(default_factory=set)
    early: set[bytes] = field(default_factory=set)
    batches: list[list[bytes]] = field(default_factory=list)
    done: list[bytes] = field(default_factory=list)
    buried: list[tuple[bytes, int]] = field(default_factory=list)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        given = [delivery.payload for delivery in deliveries]
        self.batches.append(given)
        if self.away:
            raise Unavailable("the database is away")
        if self.killing.intersection(given):
            raise Killed
        if self.early.intersection(given):
            raise Unavailable("too early")
        if self.poison.intersection(given):
            raise ValueError("poison")
        self.done += given

    async def bury(self, delivery: Delivery, tries: int) -> None:
        self.buried.append((delivery.payload, tries))


class Killed(BaseException):
    """What ends a worker as a signal would: nothing of it goes on."""


@asynccontextmanager
async def working(real: Bus, hands: Hands, book: Book) -> AsyncIterator[None]:
    worker = Worker(real, QUEUE, DURABLE, hands, book, at_once=8)  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds, "the work to be done")


async def _until_empty(real: Bus) -> None:
    async def empty() -> bool:
        return not (await real.state(QUEUE)).messages

    await eventually(empty, "the queue to be empty")


async def test_one_slot_gathers_while_the_others_work(real: Bus) -> None:
    class Slow(Hands):
        async def handle(self, deliveries: Sequence[Delivery]) -> None:
            await super().handle(deliveries)
            await leave.wait()

    leave, hands = asyncio.Event(), Slow()
    worker = Worker(
        real,
        QUEUE,
        DURABLE,
        hands,
        Book(),  # type: ignore[arg-type]
        at_once=8,
        slots=2,
        gather=timedelta(seconds=0.3),
    )
    running = asyncio.create_task(worker.run())
    try:
        for number in range(3):
            await publish(real, b"%d" % number)
        await _until(lambda: len(hands.batches) == 1)
        await publish(real, b"3")
        await _until(lambda: len(hands.batches) == 2)
        leave.set()
        await _until_empty(real)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert hands.batches == [[b"0", b"1", b"2"], [b"3"]]


async def test_what_is_done_has_left_the_queue(real: Bus) -> None:
    hands = Hands()
    for number in range(3):
        await publish(real, b"%d" % number)
    async with working(real, hands, Book()):
        await _until_empty(real)
    assert hands.done == [b"0", b"1", b"2"]


async def test_one_that_fails_is_singled_out_tried_three_times_and_buried(real: Bus) -> None:
    hands, book = Hands(poison={b"bad"}), Book()
    for payload in (b"good", b"bad", b"better"):
        await publish(real, payload, message_id=payload.hex())
    async with working(real, hands, book):
        await _until_empty(real)
    assert sorted(hands.done) == [b"better", b"good"]
    assert hands.buried == [(b"bad", 3)]
    assert book.failures == {b"bad".hex(): 3}


async def test_an_outage_is_nobodys_fault(real: Bus) -> None:
    hands, book = Hands(away=True), Book()
    await publish(real, b"one")
    async with working(real, hands, book):
        await _until(lambda: len(hands.batches) > work.SUSPECT_TRIES + work.MAX_FAILURES + 1)
        hands.away = False
        await _until_empty(real)
    assert hands.done == [b"one"]
    assert not hands.buried
    assert not +book.failures or max(book.failures.values()) == 1


async def test_one_that_cannot_be_handled_yet_holds_up_no_other(real: Bus) -> None:
    """Such as a message of a later version, which waits for a replica that knows it."""
    hands, book = Hands(early={b"later"}), Book()
    for payload in (b"later", b"one", b"two"):
        await publish(real, payload, message_id=payload.hex())
    async with working(real, hands, book):
        await _until(lambda: sorted(hands.done) == [b"one", b"two"])
        await _until(lambda: hands.batches.count([b"later"]) > work.SUSPECT_TRIES + work.MAX_FAILURES + 1)
        await publish(real, b"three")
        await _until(lambda: b"three" in hands.done)
        assert not +book.failures
        hands.early.clear()
        await _until_empty(real)
    assert not hands.buried


async def test_one_that_cannot_even_be_buried_stays_and_counts_no_further(real: Bus) -> None:
    hands, book = Hands(poison={b"bad"}), Book()
    bury, asked = hands.bury, 0

    async def refuse(delivery: Delivery, tries: int) -> None:
        nonlocal asked
        asked += 1
        raise Unavailable("away") if asked % 2 else ValueError("a fault of the burial itself")

    hands.bury = refuse  # type: ignore[method-assign]
    await publish(real, b"bad", message_id="0a")
    async with working(real, hands, book):
        await _until(lambda: asked > 2 * work.MAX_FAILURES)
        hands.bury = bury  # type: ignore[method-assign]
        await _until_empty(real)
    assert hands.buried == [(b"bad", work.MAX_FAILURES)]


async def test_an_attempt_is_taken_back_even_when_the_book_was_away(real: Bus) -> None:
    hands, book = Hands(away=True), Book()
    take_back, away = book.take_back, True

    async def failing(durable: Durable, message_id: str) -> None:
        if away:
            raise Unavailable("away")
        await take_back(durable, message_id)

    book.take_back = failing  # type: ignore[method-assign]
    await publish(real, b"one", message_id="0a")
    async with working(real, hands, book):
        await _until(lambda: book.failures["0a"] == 1)
        away = False
        await _until(lambda: len(hands.batches) > work.SUSPECT_TRIES + 2 * work.MAX_FAILURES)
        hands.away = False
        await _until_empty(real)
    assert hands.done == [b"one"]
    assert not hands.buried


async def test_nothing_is_taken_while_a_need_is_away(real: Bus) -> None:
    asked = 0

    async def need() -> None:
        nonlocal asked
        asked += 1
        raise Unavailable("away")

    async def pending() -> bool:  # the server counts what came a moment after it has acknowledged it (seen)
        return (await real.jetstream.consumer_info(QUEUE.name, DURABLE.name)).num_pending == 1

    await publish(real, b"one")
    await eventually(pending, "the message to be there for workers")
    worker = Worker(real, QUEUE, DURABLE, Hands(), Book(), at_once=8, needs=[need])  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run())
    await _until(lambda: asked >= 3)
    running.cancel()
    await asyncio.wait([running])
    info = await real.jetstream.consumer_info(QUEUE.name, DURABLE.name)
    assert (info.delivered.consumer_seq, info.num_pending) == (0, 1)


async def test_one_that_kills_its_worker_is_taken_alone_and_buried_in_the_end(real: Bus) -> None:
    hands, book = Hands(killing={b"killer"}), Book()
    await publish(real, b"killer", message_id="0a")
    for _ in range(work.SUSPECT_TRIES + work.MAX_FAILURES):
        worker = Worker(real, QUEUE, DURABLE, hands, book, at_once=8)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            await worker.run()
        await _hand_back(real)
    assert book.failures["0a"] == work.MAX_FAILURES
    await publish(real, b"neighbour")
    async with working(real, hands, book):
        await _until_empty(real)
    assert hands.buried == [(b"killer", work.MAX_FAILURES)]
    assert hands.done == [b"neighbour"]


async def test_a_restarted_server_is_gone_on_with(nats: NatsServer, real: Bus) -> None:
    hands = Hands()
    async with working(real, hands, Book()):
        await publish(real, b"one")
        await _until(lambda: hands.done == [b"one"])
        nats.kill()
        nats.start()
        await real.until_connected()
        await publish(real, b"two")
        await _until(lambda: b"two" in hands.done)


async def test_what_is_in_hand_is_finished_when_told_to_stop(real: Bus) -> None:
    hands, begun, going_on = Hands(), asyncio.Event(), asyncio.Event()
    handle = hands.handle

    async def slowly(deliveries: Sequence[Delivery]) -> None:
        begun.set()
        await going_on.wait()
        await handle(deliveries)

    hands.handle = slowly  # type: ignore[method-assign]
    await publish(real, b"one")
    worker = Worker(real, QUEUE, DURABLE, hands, Book(), at_once=8)  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run())
    await begun.wait()
    running.cancel()
    await asyncio.sleep(0)
    going_on.set()
    await asyncio.wait([running])
    assert running.cancelled()
    assert hands.done == [b"one"]
    await _until_empty(real)


async def test_two_workers_share_the_work(real: Bus) -> None:
    one, two, book = Hands(), Hands(), Book()
    async with working(real, one, book), working(real, two, book):
        for number in range(20):
            await publish(real, b"%d" % number)
        await _until_empty(real)
    assert sorted(one.done + two.done) == sorted(b"%d" % number for number in range(20))


async def _hand_back(real: Bus) -> None:
    """Have what the dead worker held handed out again now, as its `ack_wait` would in ten seconds."""
    info = await real.jetstream.consumer_info(QUEUE.name, DURABLE.name)
    reply = f"$JS.ACK.{QUEUE.name}.{DURABLE.name}.{info.delivered.consumer_seq}.1.{info.delivered.consumer_seq}.0.0"
    await real.client.publish(reply, b"-NAK")
    await real.client.flush()
