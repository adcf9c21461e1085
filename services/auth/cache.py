"""The tier that the replicas share: records in Valkey for an hour, and the changes that outdate them for two.

A record is `<age>:<record>` under the credential's digest or id; a change is a field of its company's hash. Whether a
record counts is decided by both together, so the entry of a fill that began before a revocation and ended after it
is worth nothing, and neither is one that was there all along. Writing is only ever forward: a record replaces an
older one, a change a smaller revision.

Valkey may be lost, slow or empty at any time. Then this tier is a miss, soon without waiting for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.auth.credentials import COMPANY, Credential, decode, encode
from services.auth.revocations import KEPT
from services.chassis import telemetry
from services.chassis.errors import Unavailable
from services.chassis.settings import Secret

_RECORD_LIFETIME = timedelta(hours=1)
_READ_SECONDS = 0.05
_WRITE_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
"""How long nobody asks a Valkey that has just failed."""
_CONNECTIONS = 64

# Numbers in these scripts are doubles: exact up to 2^53, which no count of changes comes near.
_KEEP_NEWER = """
local known = redis.call('GET', KEYS[1])
if known and tonumber(string.match(known, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'EX', ARGV[3])
return 1
"""
_RAISE = """
for index = 3, #ARGV do
  local known = redis.call('HGET', KEYS[1], ARGV[index])
  if not known or tonumber(known) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[index], ARGV[2])
  end
  redis.call('HEXPIRE', KEYS[1], ARGV[1], 'FIELDS', 1, ARGV[index])
end
return 1
"""

T = TypeVar("T")

_log = logging.getLogger(__name__)
_failures = telemetry.meter(__name__).create_counter(
    "auth.shared_cache.failures", description="calls of Valkey that failed or took too long"
)


class SharedCache:
    """What the replicas have read, for each other."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._paused_until = 0.0
        self._running: set[asyncio.Task[Any]] = set()

    async def get(self, name: str) -> Credential | None:
        """Answer the record kept under `name`, unless a change is known here that outdates it."""
        return await self._attempt(lambda: self._get(name))

    async def put(self, name: str, credential: Credential) -> None:
        """Keep a record, unless a newer one is kept already."""
        seconds = int(_RECORD_LIFETIME.total_seconds())
        record = encode(credential)
        await self._attempt(lambda: self._run(_KEEP_NEWER, name, credential.age, record, seconds))

    async def announce(self, company_id: int, subjects: Iterable[str], revision: int) -> None:
        """Outdate every record that lacks a change of these subjects.

        Raises:
            Unavailable: Valkey did not take it, or did not say so in time.
        """
        seconds = int(KEPT.total_seconds())
        raising = self._run(_RAISE, _changes(company_id), seconds, revision, *map(_field, subjects))
        try:
            await self._answer(raising, _WRITE_SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            _failures.add(1)
            raise Unavailable("the shared cache is not available") from error

    async def close(self) -> None:
        """End what was given up and still goes on: a connection that it opens later would be closed by nobody."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)

    async def _get(self, name: str) -> Credential | None:
        entry = await self._command("GET", name)
        credential = decode(entry.partition(b":")[2]) if entry is not None else None
        if credential is None or await self._outdated(credential):
            return None
        return credential

    async def _outdated(self, credential: Credential) -> bool:
        # After the record and not beside it: a change that came in between is seen, and the record names its subjects.
        revisions = {
            COMPANY: credential.company_revision,
            credential.holder_id: credential.holder_revision,
            credential.credential_id: credential.revision,
        }
        fields = [_field(subject) for subject in revisions]
        known = await self._command("HMGET", _changes(credential.company_id), *fields)
        return any(
            changed is not None and int(changed) > revision
            for changed, revision in zip(known, revisions.values(), strict=True)
        )

    async def _run(self, script: str, key: str, *arguments: Any) -> Any:
        return await self._command("EVAL", script, 1, key, *arguments)

    async def _command(self, *words: Any) -> Any:
        return await self._valkey.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's own

    async def _attempt(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Do work that Valkey is worth asking for; None if it cannot be asked, or does not answer in time."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._paused_until:
            return None
        try:
            return await self._answer(work(), _READ_SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = loop.time() + _PAUSE_SECONDS
            _failures.add(1)
            _log.warning("the shared cache is skipped for a while", extra={"error": repr(error)})
            return None

    async def _answer(self, call: Coroutine[Any, Any, T], seconds: float) -> T:
        """Wait for a call's answer, and not for its end: redis-py swallows a cancellation now and then.

        Raises:
            TimeoutError: there is none after so long.
        """
        task = asyncio.create_task(call)
        self._running.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait([task], timeout=seconds)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        """Let a call go, its error retrieved: asyncio would log one that was given up as never retrieved."""
        self._running.discard(task)
        if not task.cancelled():
            task.exception()


@asynccontextmanager
async def connected(url: Secret) -> AsyncIterator[SharedCache]:
    """Open the tier at `redis://user:password@host:port/0`; connections are made when needed."""
    pool = BlockingConnectionPool.from_url(
        url.reveal(),
        max_connections=_CONNECTIONS,
        timeout=_WRITE_SECONDS,
        socket_timeout=_WRITE_SECONDS,  # so long does a call that nobody waits for any more keep its connection
        socket_connect_timeout=_WRITE_SECONDS,
        retry=Retry(NoBackoff(), 1),  # a connection that Valkey has closed meanwhile is replaced, once
    )
    valkey = Redis.from_pool(pool)
    shared = SharedCache(valkey)
    try:
        yield shared
    finally:
        await shared.close()
        await valkey.aclose()


def _changes(company_id: int) -> str:
    return f"{{c:{company_id}}}:revoked"


def _field(subject: str) -> str:
    return subject or "company"
