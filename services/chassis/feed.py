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

    def left(self) -> Iterator[Msg]:
        """Answer what has arrived and was not taken."""
        while not self._arrived.empty():
            yield self._arrived.get_nowait()


async def follow(
    jetstream: Callable[[], JetStreamContext], stream: Stream, since: datetime, silence: timedelta
) -> AsyncIterator[Event]:
    """Read a stream's messages in order, from `since` on and for ever; at least once each.

    What the reader is done with is acknowledged, so that the server knows how far each reader is (`holdings.heard`).

    Args:
        jetstream: answers the connection of the moment, or raises Unavailable.
        stream: what to read.
        since: read what was stored from then on.
        silence: the longest a healthy stream says nothing; after it the reader starts anew.
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
        ack_policy=api.AckPolicy.ALL,
        max_ack_pending=-1,  # whoever is behind is not waited for
        deliver_policy=api.DeliverPolicy.BY_START_TIME,
        opt_start_time=position,
        inactive_threshold=30.0,
        mem_storage=True,
    )
    subscription = await jetstream.subscribe(
        "", stream=stream.name, config=config, cb=arrivals.take, manual_ack=True
    )
    try:
        heed_cancellation()
        for expected in itertools.count(1):
            async with asyncio.timeout(silence.total_seconds()):
                message = await arrivals.next()
            if message.metadata.sequence.consumer != expected:  # the client dropped some: it was too slow
                raise nats_errors.SlowConsumerError(subject=stream.name, reply="", sid=0, sub=subscription)
            yield _event(message)
            await message.ack()
            heed_cancellation()
    finally:
        with suppress(nats_errors.Error):  # the subscription ended with its connection
            await subscription.unsubscribe()


def _event(message: Msg) -> Event:
    metadata = message.metadata
    return Event(message.subject, message.data, metadata.timestamp, metadata.sequence.stream)
