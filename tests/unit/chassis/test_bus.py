"""How a message's fate is told from what its attempts say; `tests/stores/bus` shows the same of a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from nats import errors as nats_errors

from services.chassis.bus import MAX_PAYLOAD_BYTES, Bus, Outcome
from services.chassis.errors import Unavailable

ACK = {"stream": "DEMO", "seq": 1}
DUPLICATE = {**ACK, "duplicate": True}
FULL = {"error": {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}}
SILENCE = nats_errors.TimeoutError()
NO_STREAM = nats_errors.NoRespondersError()

Answer = dict[str, Any] | Exception


@dataclass
class Server:
    """Answers attempts as scripted, the last answer for ever; None stands for a connection that is down."""

    answers: list[Answer | None]
    attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def client(self) -> Server | None:
        if self.answers[0] is None:
            self._advance()
            return None
        return self

    async def request(self, subject: str, payload: bytes, **options: Any) -> Any:
        self.attempts.append({"subject": subject, "payload": payload, **options})
        answer = self.answers[0]
        self._advance()
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(data=json.dumps(answer).encode())

    def _advance(self) -> None:
        if len(self.answers) > 1:
            self.answers.pop(0)


async def publish(server: Server, *, seconds: float = 0.3, **options: Any) -> Outcome:
    deadline = asyncio.get_running_loop().time() + seconds
    return await Bus(server).publish("demo.a", b"bytes", message_id="id", deadline=deadline, **options)


@pytest.mark.parametrize("answer", [ACK, DUPLICATE])
async def test_an_acknowledgement_ends_it(answer: Answer) -> None:
    server = Server([answer])
    assert await publish(server) is Outcome.ACKED
    assert len(server.attempts) == 1


@pytest.mark.parametrize("answer", [FULL, NO_STREAM])
async def test_a_refusal_ends_it(answer: Answer) -> None:
    server = Server([answer])
    assert await publish(server) is Outcome.REFUSED
    assert len(server.attempts) == 1


async def test_without_a_connection_it_is_refused_at_once() -> None:
    server = Server([None])
    assert await publish(server, seconds=60) is Outcome.REFUSED
    assert server.attempts == []


UNKNOWN = [
    SILENCE,
    nats_errors.ConnectionClosedError(),
    ConnectionResetError(),
    RuntimeError("the handler is closed"),
]


@pytest.mark.parametrize("lost", UNKNOWN)
async def test_what_got_no_answer_is_sent_again_as_it_was(lost: Exception) -> None:
    server = Server([lost, lost, DUPLICATE])
    assert await publish(server) is Outcome.ACKED
    first, second, third = ({**attempt, "timeout": None} for attempt in server.attempts)
    assert first == second == third
    assert first["headers"]["Nats-Msg-Id"] == "id"


@pytest.mark.parametrize("refusal", [FULL, NO_STREAM, None])
async def test_a_refusal_after_silence_is_not_believed(refusal: Answer | None) -> None:
    server = Server([SILENCE, refusal])
    assert await publish(server) is Outcome.UNKNOWN
    server = Server([SILENCE, refusal, ACK])
    assert await publish(server) is Outcome.ACKED


async def test_silence_until_the_deadline_is_unknown_and_lasts_until_then() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await publish(Server([SILENCE, None]), seconds=0.2) is Outcome.UNKNOWN
    assert 0.2 <= loop.time() - begun < 1


async def test_a_cancellation_that_the_library_swallows_is_heeded() -> None:
    """As `asyncio.wait_for` does before Python 3.12, when the answer comes in the same turn of the loop."""
    begun = asyncio.Event()

    class Swallowing(Server):
        async def request(self, subject: str, payload: bytes, **options: Any) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await super().request(subject, payload, **options)

    publishing = asyncio.create_task(publish(Swallowing([ACK]), seconds=60))
    await begun.wait()
    publishing.cancel()
    await asyncio.wait([publishing])
    assert publishing.cancelled()


async def test_no_attempt_outlives_the_deadline() -> None:
    server = Server([ACK])
    await publish(server, seconds=0.4)
    assert 0 < server.attempts[0]["timeout"] <= 0.4
    await publish(server, seconds=60)
    assert server.attempts[1]["timeout"] <= 1


async def test_after_the_deadline_nothing_is_sent() -> None:
    server = Server([ACK])
    assert await publish(server, seconds=-1) is Outcome.REFUSED
    assert server.attempts == []


async def test_a_message_that_the_server_would_cut_us_off_for_is_not_sent() -> None:
    server, deadline = Server([ACK]), asyncio.get_running_loop().time() + 1
    with pytest.raises(ValueError, match="at most"):
        await Bus(server).publish("demo.a", bytes(MAX_PAYLOAD_BYTES + 1), message_id="id", deadline=deadline)
    assert server.attempts == []


async def test_a_message_may_have_a_life_of_its_own() -> None:
    server = Server([ACK])
    await publish(server, ttl=timedelta(seconds=5))
    assert server.attempts[0]["headers"]["Nats-TTL"] == "5s"


CALLS: list[Callable[[Bus], Awaitable[None]]] = [Bus.ping, Bus.require]


@pytest.mark.parametrize("call", CALLS)
async def test_a_bus_that_is_down_says_so(call: Callable[[Bus], Awaitable[None]]) -> None:
    with pytest.raises(Unavailable):
        await call(Bus(Server([None])))
