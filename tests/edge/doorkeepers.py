"""A stand-in for auth's port for checks: it remembers what the edge asks about, and answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IDENTITY = "token-of-scanner-7"
"""What it puts into x-scanmesh-identity for `GOOD_KEY`."""
GOOD_KEY = {"x-api-key": "kmp_scanner_1_good"}
_CHECK = "/check"
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
    """An HTTP server on loopback."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.reply: Reply = check
        self.ready = True
        self.live = True
        self.hangs_up = 0
        """How many of the next questions get no answer, but a closed connection."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.doorkeeper = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Be as new."""
        self.questions.clear()
        self.reply, self.ready, self.live, self.hangs_up = check, True, True, 0

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    doorkeeper: Doorkeeper

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over connections that the edge has reset; what else goes wrong, its question goes without an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        keeper = self.server.doorkeeper
        if self.path == "/live":
            answer = Answer(200 if keeper.live else 503)
        elif self.path == "/ready":
            answer = Answer(200 if keeper.ready else 503)
        else:
            answer = self._judged(keeper)
            if keeper.hangs_up:
                keeper.hangs_up -= 1
                self.close_connection = True
                return
        body = answer.body.encode()
        self.send_response_only(answer.status)
        for name, value in {**answer.headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _judged(self, keeper: Doorkeeper) -> Answer:
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        question = Question(self.command, self.path.removeprefix(_CHECK), headers, body)
        keeper.questions.append(question)
        return keeper.reply(question)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Doorkeeper]:
    """Run one."""
    doorkeeper = Doorkeeper()
    try:
        yield doorkeeper
    finally:
        doorkeeper.stop()
