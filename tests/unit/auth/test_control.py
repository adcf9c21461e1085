from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from services.auth.changes import Change, Kind
from services.auth.control import Control, NotPublished
from services.auth.revocations import Revocations
from services.chassis.errors import Unavailable
from services.chassis.ids import uuid7
from tests.fakes.auth import FakeBus
from tests.servers.polling import eventually


class FakeMarks:
    """Marks in memory, of one company."""

    def __init__(self, *changes):
        self.left = list(changes)
        self.claims = 0
        self.readable = True
        self.forgetful = True

    async def due(self, company_id):
        if not self.readable:
            raise Unavailable("the database is down")
        return list(self.left)

    async def claim(self, *, limit):
        self.claims += 1
        if not self.readable:
            raise Unavailable("the database is down")
        return self.left[:limit]

    async def published(self, change):
        if not self.forgetful:
            raise Unavailable("the database is down")
        self.left.remove(change)


class FakeCache:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    async def announce(self, company_id, subjects, revision):
        self.told.append((company_id, subjects, revision))


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def shared():
    return FakeCache()


@pytest.fixture
def made(bus, shared, clock):
    def make(marks):
        return Control(bus, shared, marks, Revocations(), clock)

    return make


def user_changed(clock, revision=1, *, created=False):
    return Change(uuid7(), Kind.USER, 7, revision, clock(), holder_id=f"user-{revision}", created=created)


@asynccontextmanager
async def at_work(control):
    """Publish what is left, in the background."""
    work = asyncio.create_task(control.publish_left_behind())
    yield
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def test_everything_left_is_published_without_pausing_between_claims(made, bus, clock):
    marks = FakeMarks(*(user_changed(clock, revision) for revision in range(1, 351)))

    async def nothing_left():
        return not marks.left

    async with at_work(made(marks)):
        # Four claims: with a pause of a second after each it would take longer than three.
        await eventually(nothing_left, "all marks to be published", seconds=2)
    assert len(bus.published()) == 350


async def test_a_new_resource_calls_nothing_back(made, shared, bus, clock):
    marks = FakeMarks(user_changed(clock, created=True))
    await made(marks).settle(7)
    assert shared.told == []
    assert len(bus.published()) == 1


async def test_a_change_whose_mark_cannot_be_forgotten_is_told_as_not_published(made, clock):
    marks = FakeMarks(user_changed(clock))
    marks.forgetful = False
    with pytest.raises(NotPublished):
        await made(marks).settle(7)


async def test_a_change_whose_mark_cannot_be_read_is_told_as_not_published(made, clock):
    marks = FakeMarks()
    marks.readable = False
    with pytest.raises(NotPublished):
        await made(marks).settle(7)


async def test_who_is_woken_publishes_at_once(made, bus, clock):
    marks = FakeMarks()
    control = made(marks)

    async def paused():
        return marks.claims == 1

    async def nothing_left():
        return not marks.left

    async with at_work(control):
        await eventually(paused, "the first claim, which finds nothing")
        marks.left.append(user_changed(clock))
        control.wake()
        await eventually(nothing_left, "the mark to be published before the pause is over", seconds=0.5)


async def test_a_round_that_fails_is_followed_by_the_next_one(made, clock):
    marks = FakeMarks(user_changed(clock))
    marks.readable = False
    control = made(marks)

    async def failed():
        return marks.claims == 1

    async def nothing_left():
        return not marks.left

    async with at_work(control):
        await eventually(failed, "the first claim, which fails")
        marks.readable = True
        control.wake()
        await eventually(nothing_left, "the mark to be published")
