"""What each user of Valkey may do, tried on the server."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from tests.servers.valkey import ValkeyServer

LIBRARY = """#!lua name=limits
server.register_function('set', function(keys, values) return server.call('SET', keys[1], values[1]) end)
server.register_function('stray', function(keys, values) return server.call('SET', '{c:7}:revoked', '1') end)
"""


def as_user(valkey: ValkeyServer, user: str) -> redis.Redis:
    return redis.Redis.from_url(valkey.url(user).reveal())


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("auth", "{c:7}:limits:company"),
        ("ratelimit", "{c:7}:revoked"),
        ("ratelimit", "scanner:auth:00"),
        ("ratelimit", "session:auth:00"),
    ],
)
def test_keys_of_the_other_service_are_closed(valkey: ValkeyServer, user: str, key: str) -> None:
    with as_user(valkey, user) as client, pytest.raises(NoPermissionError):
        client.get(key)


def test_functions_are_loaded_and_called_by_ratelimit(valkey: ValkeyServer) -> None:
    with as_user(valkey, "ratelimit") as client:
        client.function_load(LIBRARY, replace=True)
        assert client.fcall("set", 1, "{c:7}:limits:company", "1") == b"OK"


def test_functions_reach_no_key_of_others(valkey: ValkeyServer) -> None:
    with as_user(valkey, "ratelimit") as client:
        client.function_load(LIBRARY, replace=True)
        with pytest.raises(ResponseError):
            client.fcall("stray", 1, "{c:7}:limits:company")
        with pytest.raises(NoPermissionError):
            client.fcall("set", 1, "{c:7}:revoked", "1")
    with as_user(valkey, "auth") as client:
        assert client.get("{c:7}:revoked") is None


def test_auth_runs_scripts_and_changes_nobodys_functions(valkey: ValkeyServer) -> None:
    with as_user(valkey, "auth") as client:
        assert client.eval("return 1", 0) == 1
        for command in (("FUNCTION", "FLUSH"), ("FUNCTION", "LOAD", "REPLACE", LIBRARY)):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


@pytest.mark.parametrize("user", ["auth", "ratelimit"])
@pytest.mark.parametrize("command", ["KEYS *", "SCAN 0", "FLUSHALL", "CONFIG GET save", "ACL LIST"])
def test_no_service_looks_around(valkey: ValkeyServer, user: str, command: str) -> None:
    with as_user(valkey, user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
