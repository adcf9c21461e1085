"""The line to Valkey: commands that come while others are under way go together with the next ones.

Under load a call so costs a fraction of a round trip, and needs no connection of its own. What is not answered within
20 ms is given up, not cut: a connection that is slow to open is there for the calls after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from services.chassis import telemetry
from services.chassis.errors import Unavailable
from services.chassis.settings import Secret

ASK_SECONDS = 0.02
"""DESIGN section 7: the longest that a scan waits for Valkey."""
_TELL_SECONDS = 1.0
"""For what no scan waits for."""
_CONNECTIONS = 8
_MOST_TOGETHER = 128
"""A spend keeps Valkey busy for about 50 µs."""
_NO_FUNCTION: Final = "Function not found"

Words = tuple[object, ...]
T = TypeVar("T")

_log = logging.getLogger(__name__)
_failures = telemetry.meter(__name__).create_counter(
    "ratelimit.valkey_failures", description="commands that Valkey failed or did not answer in time"
)


class FunctionsLost(Exception):
    """Valkey answers, and does not know our functions (any more)."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    words: Words
    answer: asyncio.Future[Any]


class Line:
    """Commands to one Valkey."""

    def __init__(self, valkey: Redis, ask_seconds: float) -> None:
        self._valkey = valkey
        self._ask_seconds = ask_seconds
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()

    async def ask(self, *words: object) -> Any:
        """Run a command that somebody waits for with a scan in hand.

        Raises:
            FunctionsLost: it calls a function that Valkey does not know.
            Unavailable: it failed, or was not answered in time; it may have been run.
        """
        waiting = _Waiting(words, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return _checked(await waiting.answer)

    async def tell(self, *words: object) -> Any:
        """Run a command that has more time.

        Raises:
            FunctionsLost: it calls a function that Valkey does not know.
            Unavailable: it failed, or was not answered in time; it may have been run.
        """
        (answer,) = await self._answers([words], _TELL_SECONDS)
        return _checked(answer)

    async def close(self) -> None:
        """End what was given up and still goes on."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)

    async def _send(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
            answers = await self._answers([each.words for each in together], self._ask_seconds)
            for each, answer in zip(together, answers, strict=True):
                if not each.answer.done():  # else its caller has gone
                    each.answer.set_result(answer)

    async def _answers(self, commands: Sequence[Words], seconds: float) -> Sequence[Any]:
        """Answer what each command is answered, an error among that."""
        try:
            return await self._within(seconds, self._run(commands))
        except (RedisError, OSError, TimeoutError) as error:
            return [error] * len(commands)

    async def _run(self, commands: Sequence[Words]) -> Sequence[Any]:
        async with self._valkey.pipeline(transaction=False) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers

    async def _within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        async with asyncio.timeout(seconds):
            return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        """Let a task go, its error retrieved: else asyncio logs that nobody did."""
        self._running.discard(task)
        if not task.cancelled():
            task.exception()


def _checked(answer: Any) -> Any:
    if not isinstance(answer, Exception):
        return answer
    if isinstance(answer, ResponseError) and _NO_FUNCTION in str(answer):
        raise FunctionsLost from answer
    _failures.add(1)
    _log.info("the limits' store does not answer", extra={"error": repr(answer)})
    raise Unavailable("the limits' store is not available") from answer


@asynccontextmanager
async def connected(url: Secret, *, ask_seconds: float = ASK_SECONDS) -> AsyncIterator[Line]:
    """Open the line to `redis://user:password@host:port/0`; connections are made when needed.

    Args:
        url: where, and as which user.
        ask_seconds: how long `ask` waits for an answer.
    """
    pool = BlockingConnectionPool.from_url(
        url.reveal(),
        max_connections=_CONNECTIONS,
        timeout=_TELL_SECONDS,
        socket_timeout=_TELL_SECONDS,  # so long does a command that was given up keep its connection
        socket_connect_timeout=_TELL_SECONDS,
        retry=Retry(NoBackoff(), 1),  # a connection that Valkey has closed meanwhile is replaced, once
    )
    valkey = Redis.from_pool(pool)
    line = Line(valkey, ask_seconds)
    try:
        yield line
    finally:
        await line.close()
        await valkey.aclose()
