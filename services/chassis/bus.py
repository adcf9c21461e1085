"""The bus: publishing to JetStream until it is known to be on disk, and following a stream.

JetStream runs with `sync_interval: always`, so an acknowledgement means fsynced. Whatever is not acknowledged is
told apart with care: *refused* (nothing was stored, for certain) or *unknown* (it may have been).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from services.chassis import connection, feed, holdings, telemetry
from services.chassis.connection import LOST, Connection, heed_cancellation, translated
from services.chassis.errors import Unavailable
from services.chassis.feed import Event
from services.chassis.holdings import StreamState
from services.chassis.natslib import Client, JetStreamContext, api
from services.chassis.natslib import errors as nats_errors
from services.chassis.settings import Secret
from services.chassis.subjects import Stream

MAX_PAYLOAD_BYTES = 2**20 - 4_096
"""The server's `max_payload` of 1 MiB less the headers, which it counts in: it breaks the connection of who sends more."""
_ATTEMPT_SECONDS = 1.0
_RETRY_SECONDS = 0.05
_API_SECONDS = 2.0
_HAND_OVER_SECONDS = 5.0

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
class Outgoing:
    """A message that is derived from another one: the same bytes under the same id whenever that is done again."""

    subject: str
    payload: bytes
    message_id: str


class Bus:
    """JetStream over one connection. While that is down, publishing is refused at once and nothing is buffered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._connection.client is not None

    async def publish(  # noqa: PLR0913 - the last two are for few, and what they say belongs to the message
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
        except LOST:
            return Outcome.UNKNOWN
        heed_cancellation()
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
        with translated():
            return await holdings.state(self.client, stream, _API_SECONDS)

    async def last(self, stream: Stream, subject: str) -> Event | None:
        """Answer the last message of a subject in a bucket; None if there is none.

        Raises:
            Unavailable: the bus does not answer.
        """
        with translated():
            return await holdings.last(self.client, stream, subject, _API_SECONDS)

    async def heard(self, stream: Stream, sequence: int) -> bool:
        """Tell whether all who follow a stream (one that is `acknowledged`) are done with what it holds up to a sequence.

        Raises:
            Unavailable: the bus does not answer.
        """
        with translated():
            return await holdings.heard(self.client, stream, sequence, _API_SECONDS)

    async def require(self, *streams: Stream) -> None:
        """Return if these streams and all their durables exist: else an acknowledgement would be worth nothing.

        Raises:
            Unavailable: one does not, or the bus does not answer.
        """
        await self.ping()
        with translated():
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
            silence: the longest a healthy stream says nothing; after it the reader looks whether it still follows.
        """
        async for event in feed.follow(lambda: self.jetstream, stream, since, silence):
            yield event

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


@asynccontextmanager
async def connected(url: Secret, name: str) -> AsyncIterator[Bus]:
    """Connect in the background, and again whenever the connection is lost.

    Args:
        url: `nats://user:password@host:port`, several with commas.
        name: shown in the server's list of connections.
    """
    async with connection.kept(url, name) as kept:
        yield Bus(kept)
