"""The book of failures, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.chassis import database
from services.chassis.attempts import Attempts
from services.chassis.subjects import Lane, recorder
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.postgres import PostgresServer

DURABLE, OTHER = recorder(Lane.BULK), recorder(Lane.PREMIUM)


@pytest.fixture
async def attempts(postgres: PostgresServer) -> AsyncIterator[Attempts]:  # noqa: F811
    async with database.connected(postgres.url("ingest_worker")) as db:
        book = Attempts(db, "ingest")
        await book.forget(timedelta(seconds=-1))
        yield book


async def test_failures_of_a_message_add_up_by_durable(attempts: Attempts) -> None:
    assert [await attempts.add(DURABLE, "a") for _ in range(3)] == [1, 2, 3]
    assert await attempts.add(DURABLE, "b") == 1
    assert await attempts.add(OTHER, "a") == 1


async def test_one_taken_back_does_not_count(attempts: Attempts) -> None:
    await attempts.add(DURABLE, "a")
    await attempts.take_back(DURABLE, "a")
    assert await attempts.add(DURABLE, "a") == 1


async def test_none_is_lost_when_two_count_at_once(attempts: Attempts) -> None:
    counted = await asyncio.gather(*(attempts.add(DURABLE, "a") for _ in range(8)))
    assert sorted(counted) == list(range(1, 9))


async def test_only_the_old_are_forgotten(attempts: Attempts) -> None:
    await attempts.add(DURABLE, "a")
    await attempts.forget(timedelta(hours=1))
    assert await attempts.add(DURABLE, "a") == 2
    await attempts.forget(timedelta(seconds=-1))
    assert await attempts.add(DURABLE, "a") == 1
