"""A stand-in for auth's port for checks: it remembers what the edge asks about, and answers as told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from aiohttp import web

IDENTITY = "token-of-scanner-7"
"""What it puts into x-scanmesh-identity for `GOOD_KEY`."""
GOOD_KEY = {"x-api-key": "kmp_scanner_1_good"}
_CHECK = "/check"
_SECONDS = 10.0
_MOST_LINE = 128 * 1024
_DENIED = (
    '{"code":16,"message":"no such \\"key\\"","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",'
    '"reason":"CREDENTIALS_INVALID","domain":"scanmesh.dev","metadata":{}}]}'
)


@dataclass(frozen=True, slots=True)
class Question:
    """A request that the edge asks about."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is told."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


Reply = Callable[[Question], Answer]


def check(question: Question) -> Answer:
    """Answer as auth does: the good key passes with an identity, all else is refused."""
    if question.headers.get("x-api-key") == GOOD_KEY["x-api-key"]:
        return Answer(200, {"x-scanmesh-identity": IDENTITY})
    if "x-scanmesh-native" in question.headers:
        return Answer(
            401, {"www-authenticate": "Bearer", "content-type": "application/grpc"}, 'no such "key"'
        )
    return Answer(401, {"www-authenticate": "Bearer", "content-type": "application/json"}, _DENIED)


def premium(question: Question) -> Answer:
    """Answer as auth does for a company whose plan has the premium lane."""
    answer = check(question)
    return Answer(answer.status, {**answer.headers, "x-scanmesh-lane": "premium"}, answer.body)


class Doorkeeper:
    """An HTTP server on loopback, in a thread of its own.

    On uvloop, whose connections are not Python's sockets: it lives through unit tests, which may not open any.
    """

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.reply: Reply = check
        self.ready = True
        self.live = True
        self.hangs_up = 0
        """How many of the next questions get no answer, but a closed connection."""
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._runner: web.ServerRunner
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._do(self._start())

    def forget(self) -> None:
        """Be as new."""
        self.questions.clear()
        self.reply, self.ready, self.live, self.hangs_up = check, True, True, 0

    def stop(self) -> None:
        """Close the port."""
        self._do(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _start(self) -> None:
        server = web.Server(
            self._answer, access_log=None, max_line_size=_MOST_LINE, max_field_size=_MOST_LINE
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.raw_path == "/live":
            return web.Response(status=200 if self.live else 503)
        if request.raw_path == "/ready":
            return web.Response(status=200 if self.ready else 503)
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.raw_path.removeprefix(_CHECK)
        question = Question(request.method, path, headers, await request.text())
        self.questions.append(question)
        if self.hangs_up and request.transport is not None:
            self.hangs_up -= 1
            request.transport.abort()
        answer = await asyncio.to_thread(self.reply, question)  # it may take its time
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body.encode())


@contextmanager
def serving() -> Iterator[Doorkeeper]:
    """Run one."""
    doorkeeper = Doorkeeper()
    try:
        yield doorkeeper
    finally:
        doorkeeper.stop()
