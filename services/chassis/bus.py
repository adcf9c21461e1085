"""The bus: publishing to JetStream until it is known to be on disk, and following a stream.

JetStream runs with `sync_interval: always`, so an acknowledgement means fsynced. Whatever is not acknowledged is
told apart with care: *refused* (nothing was stored, for certain) or *unknown* (it may have been).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from services.chassis import connection, provision, telemetry
from services.chassis.connection import Connection
from services.chassis.errors import Unavailable
from services.chassis.settings import Secret
from services.chassis.subjects import Stream

MAX_PAYLOAD_BYTES = 2**20 - 4_096
"""The server's `max_payload` of 1 MiB less the headers, which it counts in: it breaks the connection of who sends more."""
_ATTEMPT_SECONDS = 1.0
_RETRY_SECONDS = 0.05
_API_SECONDS = 2.0
_HAND_OVER_SECONDS = 5.0
_FOLLOW_AHEAD = 1_000
"""Messages that may wait for a follower's reader; the client library holds and, in the end, drops the others."""
_FOLLOW_OVERLAP = timedelta(seconds=5)
"""How far a follower goes back when it starts anew: events repeat then, they never go missing."""

# What a call raises that got no answer, OSError's TimeoutError included; uvloop has a RuntimeError for a connection
# that is just being broken.
_LOST = (nats_errors.Error, OSError, RuntimeError)

_log = logging.getLogger(__name__)
_publishes = telemetry.meter(__name__).create_counter(
    "bus.publishes", description="messages by stream subject and outcome"
)


class Outcome(Enum):
    """What is known of a message after its deadline."""

    ACKED = auto()
    """On disk."""
    REFUSED = auto()
    """Not stored, for certain."""
    UNKNOWN = auto()
    """Sent, and no answer came: it may be stored."""


@dataclass(frozen=True, slots=True)
class Event:
    """A message read from a stream."""

    subject: str
    payload: bytes
    stored: datetime
    """When the stream took it."""
    sequence: int = 0
    """Its number in the stream, from 1."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is derived from another one: the same bytes under the same id whenever that is done again."""

    subject: str
    payload: bytes
    message_id: str


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a stream holds."""

    first_sequence: int
    """Of the oldest message; one above the last when the stream is empty."""
    last_sequence: int
    messages: int
    oldest: timedelta | None
    """The age of the oldest message by the server's own clock; None when the stream is empty."""
    epoch: str
    """The id made with the stream: another one numbers anew."""


class Bus:
    """JetStream over one connection. While that is down, publishing is refused at once and nothing is buffered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        deadline: float,
        ttl: timedelta | None = None,
        after: int | None = None,
    ) -> Outcome:
        """Publish until the message is known to be on disk.

        A message whose fate is unknown is sent again: the same bytes under the same id, which JetStream takes once
        (a *duplicate* is an acknowledgement). So *refused* is answered only if no earlier attempt is unknown.

        Args:
            subject: a stream's subject.
            payload: the bytes; at most `MAX_PAYLOAD_BYTES`.
            message_id: random, minted once for these bytes.
            deadline: loop time after which nothing is published any more.
            ttl: how long the stream keeps the message (streams with `expiring` only).
            after: refuse it unless this is the sequence of the subject's last message (0: unless it has none).

        Raises:
            ValueError: the payload is too large.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a message holds at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
        headers = {api.Header.MSG_ID: message_id, **telemetry.outgoing()}
        if ttl is not None:
            headers[api.Header.MSG_TTL] = f"{int(ttl.total_seconds())}s"
        if after is not None:
            headers[api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE] = str(after)
        outcome = await self._until_known(subject, payload, headers, deadline)
        _publishes.add(1, {"subject": subject, "outcome": outcome.name.lower()})
        return outcome

    async def _until_known(
        self, subject: str, payload: bytes, headers: dict[str, str], deadline: float
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        earlier = Outcome.REFUSED
        while (left := deadline - loop.time()) > 0:
            outcome = await self._attempt(subject, payload, headers, min(left, _ATTEMPT_SECONDS))
            if outcome is Outcome.ACKED:
                return outcome
            if Outcome.UNKNOWN not in (earlier, outcome):
                return Outcome.REFUSED
            earlier = Outcome.UNKNOWN
            # The connection is down or about to be found so: an attempt can fail without ever waiting, and a loop
            # of those would let nothing else run, its own recovery included.
            await asyncio.sleep(_RETRY_SECONDS)
        return earlier

    async def _attempt(
        self, subject: str, payload: bytes, headers: dict[str, str], seconds: float
    ) -> Outcome:
        client = self._connection.client
        if client is None:
            return Outcome.REFUSED
        try:
            reply = await client.request(subject, payload, timeout=seconds, headers=headers)
        except nats_errors.NoRespondersError:
            return Outcome.REFUSED
        except _LOST:
            return Outcome.UNKNOWN
        _heed_cancellation()
        answer = json.loads(reply.data)
        if "error" in answer:
            _log.warning("the stream refused a message", extra={"subject": subject, "error": answer["error"]})
            return Outcome.REFUSED
        return Outcome.ACKED

    async def hand_over(self, messages: Iterable[Outgoing]) -> None:
        """Publish derived messages, all at once, and return when every one is on disk.

        Raises:
            Unavailable: one is not known to be; whatever they are derived from must be derived again.
        """
        deadline = asyncio.get_running_loop().time() + _HAND_OVER_SECONDS
        outcomes = await asyncio.gather(
            *(
                self.publish(each.subject, each.payload, message_id=each.message_id, deadline=deadline)
                for each in messages
            )
        )
        if any(outcome is not Outcome.ACKED for outcome in outcomes):
            raise Unavailable("not everything that was derived is known to be on disk")

    async def state(self, stream: Stream) -> StreamState:
        """Answer what a stream holds now.

        Raises:
            Unavailable: the bus does not answer.
        """
        with _translated():
            answer = await self.client.request(
                f"$JS.API.STREAM.INFO.{stream.name}", timeout=_API_SECONDS
            )
        info = json.loads(answer.data)
        if "error" in info:
            raise Unavailable(f"the stream {stream.name} cannot be looked at")
        return _state(info)

    async def require(self, *streams: Stream) -> None:
        """Return if these streams and all their durables exist: else an acknowledgement would be worth nothing.

        Raises:
            Unavailable: one does not, or the bus does not answer.
        """
        await self.ping()
        with _translated():
            for stream in streams:
                await self.jetstream.stream_info(stream.name)
                for durable in stream.durables:
                    await self.jetstream.consumer_info(stream.name, durable.name)

    async def until_connected(self) -> None:
        """Wait for the bus to be there, however long that takes."""
        await self.until_required()

    async def until_required(self, *streams: Stream) -> None:
        """Wait for `require` to hold, however long that takes."""
        while True:
            try:
                return await self.require(*streams)
            except Unavailable as error:
                _log.info("waiting for the bus", extra={"error": str(error)})
                await asyncio.sleep(4 * _RETRY_SECONDS)

    async def follow(self, stream: Stream, *, since: datetime, silence: timedelta) -> AsyncIterator[Event]:
        """Read a stream's messages in order, from `since` on and for ever; at least once each.

        Args:
            stream: what to read.
            since: read what was stored from then on.
            silence: the longest a healthy stream says nothing; after it the reader starts anew.
        """
        position = since
        while True:
            try:
                async with aclosing(self._follow_once(stream, position, silence)) as events:
                    async for event in events:
                        position = max(position, event.stored - _FOLLOW_OVERLAP)
                        yield event
            except (Unavailable, *_LOST) as error:
                _log.info("following anew", extra={"stream": stream.name, "error": repr(error)})
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow_once(
        self, stream: Stream, position: datetime, silence: timedelta
    ) -> AsyncGenerator[Event, None]:
        arrived: asyncio.Queue[Msg] = asyncio.Queue(_FOLLOW_AHEAD)
        config = api.ConsumerConfig(
            ack_policy=api.AckPolicy.NONE,
            deliver_policy=api.DeliverPolicy.BY_START_TIME,
            opt_start_time=position,
            inactive_threshold=30.0,
            mem_storage=True,
        )
        jetstream = self.jetstream
        subscription = await jetstream.subscribe("", stream=stream.name, config=config, cb=arrived.put)
        try:
            _heed_cancellation()
            for expected in itertools.count(1):
                async with asyncio.timeout(silence.total_seconds()):
                    message = await arrived.get()
                if message.metadata.sequence.consumer != expected:  # the client dropped some: it was too slow
                    raise nats_errors.SlowConsumerError(
                        subject=stream.name, reply="", sid=0, sub=subscription
                    )
                yield _event(message)
        finally:
            with suppress(nats_errors.Error):  # the subscription ended with its connection
                await subscription.unsubscribe()

    async def ping(self) -> None:
        """Return if the bus is connected.

        Raises:
            Unavailable: it is not.
        """
        _ = self.client

    @property
    def client(self) -> Client:
        """The connected client, for what is read from it.

        Raises:
            Unavailable: the bus is not connected.
        """
        client = self._connection.client
        if client is None:
            raise Unavailable("the bus is not connected")
        return client

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream's management calls, for provisioning.

        Raises:
            Unavailable: the bus is not connected.
        """
        return self.client.jetstream(timeout=_API_SECONDS)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _LOST as error:
        raise Unavailable("the bus is not available") from error


def _heed_cancellation() -> None:
    """Raise the cancellation that the library's `wait_for` swallows, before Python 3.12, if an answer comes just then.

    Whoever cancels a publisher or a follower waits for its end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _event(message: Msg) -> Event:
    metadata = message.metadata
    return Event(message.subject, message.data, metadata.timestamp, metadata.sequence.stream)


def _state(info: dict[str, Any]) -> StreamState:
    state = info["state"]
    oldest = _time(info["ts"]) - _time(state["first_ts"]) if state["messages"] else None
    return StreamState(
        first_sequence=state["first_seq"],
        last_sequence=state["last_seq"],
        messages=state["messages"],
        oldest=oldest,
        epoch=info["config"].get("metadata", {}).get(provision.EPOCH, ""),
    )


def _time(text: str) -> datetime:
    """Read RFC 3339 with nanoseconds, of which Python's own reader takes up to six digits only."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")


@asynccontextmanager
async def connected(url: Secret, name: str) -> AsyncIterator[Bus]:
    """Connect in the background, and again whenever the connection is lost.

    Args:
        url: `nats://user:password@host:port`, several with commas.
        name: shown in the server's list of connections.
    """
    async with connection.kept(url, name) as kept:
        yield Bus(kept)
