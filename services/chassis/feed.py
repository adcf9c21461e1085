"""Following a stream: its messages in order, at least once each, over lost connections and slow readers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.chassis.connection import LOST, heed_cancellation
from services.chassis.errors import Unavailable
from services.chassis.natslib import Client, JetStreamContext, Msg, api
from services.chassis.natslib import errors as nats_errors
from services.chassis.subjects import Stream

_AHEAD = 1_000
"""Messages that may wait for a follower's reader; the client library holds and, in the end, drops the others."""
_OVERLAP = timedelta(seconds=5)
"""How far a follower goes back when it starts anew: events repeat then, they never go missing."""
_RETRY_SECONDS = 0.05
_LOOK_SECONDS = 0.25
_FORGOTTEN_SECONDS = 2.0
"""After so long without its reader's connection, the server forgets how far that one was."""
_NEVER_SECONDS = 86_400.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """A message read from a stream."""

    subject: str
    payload: bytes
    stored: datetime
    """When the stream took it."""
    sequence: int = 0
    """Its number in the stream, from 1."""


class Arrivals:
    """What arrives at a subscription; waiting for more ends when the connection is lost, however silent that is."""

    def __init__(self, client: Client, *, ahead: int = 0) -> None:
        self._client = client
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue(ahead)

    async def take(self, message: Msg) -> None:
        """Be given a message: the subscription's callback."""
        await self._arrived.put(message)

    async def next(self) -> Msg:
        """Answer the next message.

        Raises:
            Unavailable: the connection is lost.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    return await self._arrived.get()
            if not self._client.is_connected:
                raise Unavailable("the bus is not connected")

    async def within(self, time: timedelta) -> Msg | None:
        """Answer the next message; None if none comes in that time.

        Raises:
            Unavailable: the connection is lost.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(time.total_seconds()):
                return await self.next()
        return None

    def left(self) -> Iterator[Msg]:
        """Answer what has arrived and was not taken."""
        while not self._arrived.empty():
            yield self._arrived.get_nowait()


async def follow(
    jetstream: Callable[[], JetStreamContext], stream: Stream, since: datetime, silence: timedelta
) -> AsyncIterator[Event]:
    """Read a stream's messages in order, from `since` on and for ever; at least once each.

    Of a stream that says so, what the reader is done with is acknowledged: the server knows how far each reader is.

    Args:
        jetstream: answers the connection of the moment, or raises Unavailable.
        stream: what to read.
        since: read what was stored from then on.
        silence: the longest a healthy stream says nothing; after it the reader looks whether it still follows.
    """
    position = since
    while True:
        try:
            async with aclosing(_follow_once(jetstream(), stream, position, silence)) as events:
                async for event in events:
                    position = max(position, event.stored - _OVERLAP)
                    yield event
        except (Unavailable, *LOST) as error:
            _log.info("following anew", extra={"stream": stream.name, "error": repr(error)})
            await asyncio.sleep(_RETRY_SECONDS)


async def _follow_once(
    jetstream: JetStreamContext, stream: Stream, position: datetime, silence: timedelta
) -> AsyncGenerator[Event, None]:
    arrivals = Arrivals(jetstream._nc, ahead=_AHEAD)  # noqa: SLF001 - the client that it was made from
    config = api.ConsumerConfig(
        ack_policy=api.AckPolicy.ALL if stream.acknowledged else api.AckPolicy.NONE,
        ack_wait=_NEVER_SECONDS if stream.acknowledged else None,
        max_ack_pending=-1 if stream.acknowledged else None,  # however far behind the reader is
        deliver_policy=api.DeliverPolicy.BY_START_TIME,
        opt_start_time=position,
        inactive_threshold=_FORGOTTEN_SECONDS,
        mem_storage=True,
    )
    subscription = await jetstream.subscribe(
        "", stream=stream.name, config=config, cb=arrivals.take, manual_ack=True
    )
    try:
        heed_cancellation()
        for expected in itertools.count(1):
            while (message := await arrivals.within(silence)) is None:
                info = await subscription.consumer_info()
                heed_cancellation()
                _require_next(expected, info.delivered.consumer_seq + 1 if info.delivered else 1)
                if info.num_pending:
                    raise Unavailable("messages wait at the server")
            _require_next(expected, message.metadata.sequence.consumer)
            yield _event(message)
            if stream.acknowledged:
                await message.ack()
                heed_cancellation()
    finally:
        with suppress(nats_errors.Error):  # the subscription ended with its connection
            await subscription.unsubscribe()


def _require_next(expected: int, sequence: int) -> None:
    if sequence != expected:  # the client dropped some: it was too slow
        raise Unavailable("messages are missing")


def _event(message: Msg) -> Event:
    metadata = message.metadata
    return Event(message.subject, message.data, metadata.timestamp, metadata.sequence.stream)
