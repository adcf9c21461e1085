from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as ValkeyAway

from services.auth.cache import SharedCache
from services.chassis.errors import Unavailable


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


@pytest.mark.parametrize("kind", [DeadValkey, SilentValkey])
async def test_a_valkey_that_fails_is_left_alone_for_a_while(kind, credential):
    valkey = kind()
    shared = SharedCache(valkey)
    for _ in range(10):
        assert await shared.get("scanner:auth:x") is None
        await shared.put("scanner:auth:x", credential)
    assert valkey.commands == 1


async def test_a_change_is_always_told_and_its_failure_too():
    valkey = DeadValkey()
    shared = SharedCache(valkey)
    await shared.get("scanner:auth:x")
    with pytest.raises(Unavailable):
        await shared.announce(7, ["key-1"], 1)
    assert valkey.commands == 2
