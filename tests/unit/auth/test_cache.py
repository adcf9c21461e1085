from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest
from redis.exceptions import ConnectionError as ValkeyAway

from services.auth.cache import SharedCache
from services.chassis.errors import Unavailable
from tests.servers.polling import eventually


class DeadValkey:
    """Counts the commands it fails."""

    def __init__(self):
        self.commands = 0

    async def execute_command(self, *words):
        self.commands += 1
        raise ValkeyAway


class SilentValkey(DeadValkey):
    async def execute_command(self, *words):
        self.commands += 1
        await asyncio.Event().wait()


class StubbornValkey(DeadValkey):
    """Its client swallows a cancellation, as redis-py's does when one meets a timeout of its own."""

    async def execute_command(self, *words):
        self.commands += 1
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()


@pytest.mark.parametrize("kind", [DeadValkey, SilentValkey, StubbornValkey])
async def test_a_valkey_that_fails_is_left_alone_for_a_while(kind, credential):
    valkey = kind()
    shared = SharedCache(valkey)
    async with asyncio.timeout(1):
        for _ in range(10):
            assert await shared.get("scanner:auth:x") is None
            await shared.put("scanner:auth:x", credential)
    assert valkey.commands == 1


class BreakingValkey(DeadValkey):
    """Fails only after nobody waits for it any more."""

    async def execute_command(self, *words):
        try:
            await asyncio.Event().wait()
        finally:
            raise ValkeyAway


async def test_a_call_that_is_given_up_and_then_fails_is_nobodys_error(caplog):
    shared = SharedCache(BreakingValkey())
    assert await shared.get("scanner:auth:x") is None
    await asyncio.sleep(0)  # the call ends
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_call_that_is_cancelled_leaves_none_behind():
    shared = SharedCache(SilentValkey())
    asking = asyncio.create_task(shared.get("scanner:auth:x"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()

    async def none_left():
        return asyncio.all_tasks() == {asyncio.current_task()}

    await eventually(none_left, "the call to end")


async def test_a_change_is_always_told_and_its_failure_too():
    valkey = DeadValkey()
    shared = SharedCache(valkey)
    await shared.get("scanner:auth:x")
    with pytest.raises(Unavailable):
        await shared.announce(7, ["key-1"], 1)
    assert valkey.commands == 2
