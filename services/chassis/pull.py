"""Taking messages from a work queue, as many as are there, without waiting for a batch to be full.

The client library's own `fetch` waits for the whole batch or its timeout (seen), which would make the first scan of
a quiet minute late. Here a request ends before its messages are worked on: first all that is there, or else one
message, however long that takes; and then what comes in the time that the caller gives it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.chassis.bus import Bus
from services.chassis.connection import LOST
from services.chassis.errors import Unavailable
from services.chassis.feed import Arrivals
from services.chassis.natslib import Client, Msg, api
from services.chassis.natslib import errors as nats_errors
from services.chassis.subjects import Durable, Stream

SUSPECT_TRIES = 5
"""A message handed out more often than this may be what kills its workers: it is taken alone."""
_ANSWER_SECONDS = 2.0
_SILENCE_SECONDS = 0.2
_ENDED = {"404", "408"}
"""There is no message, or no more of them."""
_LINGER_SECONDS = 5.0
"""How long the server holds a request for one message; shorter than a lost request may go unnoticed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message of a work queue, handed to this process; it comes again unless it is acknowledged in time."""

    subject: str
    payload: bytes
    message_id: str
    """What its publisher named it by."""
    sequence: int
    """Its number in the stream, from 1."""
    tries: int
    """How many times it was handed out, this one included."""
    stored: datetime
    """When the stream took it."""
    message: Any = None
    """The client library's."""

    async def ack(self) -> None:
        """Take it off the queue. An acknowledgement that is lost means that it comes again, no more."""
        await self._answer(b"+ACK")

    async def again(self, delay: timedelta) -> None:
        """Have it handed out again after `delay`."""
        nanoseconds = int(delay.total_seconds() * 1_000_000_000)
        await self._answer(b"-NAK " + json.dumps({"delay": nanoseconds}).encode())

    async def in_progress(self) -> None:
        """Have its time to be acknowledged in begin anew."""
        await self._answer(b"+WPI")

    async def _answer(self, answer: bytes) -> None:
        with suppress(*LOST):  # then it comes again by itself
            await self.message._client.publish(self.message.reply, answer)  # noqa: SLF001 - as the library's own `ack`


class Puller:
    """Asks for messages of one durable over one connection."""

    def __init__(
        self, client: Client, stream: Stream, durable: Durable, inbox: str, arrivals: Arrivals
    ) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.{durable.name}"
        self._inbox = inbox
        self._asked = itertools.count()
        self._arrivals = arrivals

    async def fetch(self, most: int, gather: timedelta = timedelta(0)) -> list[Delivery]:
        """Answer at least one message and at most `most`, or none after a while.

        Args:
            most: messages.
            gather: how long to wait for more, once there is one.

        Raises:
            Unavailable: the bus does not answer.
        """
        taken: list[Delivery] = []
        try:
            await self._gather(taken, most, gather)
        except Unavailable:
            if not taken:
                raise
        except asyncio.CancelledError:
            await _give_back(taken)
            raise
        return taken

    async def _gather(self, taken: list[Delivery], most: int, gather: timedelta) -> None:
        await self._ask(taken, most, timedelta(0))
        waited = not taken
        if waited:
            await self._ask(taken, 1, timedelta(seconds=_LINGER_SECONDS))
        if taken and len(taken) < most and (gather or waited):
            await asyncio.sleep(gather.total_seconds())
            await self._ask(taken, most, timedelta(0))

    async def _ask(self, taken: list[Delivery], most: int, wait: timedelta) -> None:
        """Add to what is taken until there are `most`, or there is no more."""
        reply = f"{self._inbox}.{next(self._asked)}"
        batch = most - len(taken)
        request = {"batch": batch, "expires": wait // timedelta(microseconds=1) * 1_000} if wait else {}
        request = request or {"batch": batch, "no_wait": True}
        try:
            await self._client.publish(self._next, json.dumps(request).encode(), reply)
            async with asyncio.timeout(wait.total_seconds() + _ANSWER_SECONDS):
                await self._collect(reply, most, taken)
        except TimeoutError as error:
            # One that does not wait stays unanswered while the durable is at its `max_ack_pending` (seen); one that waits
            # is always answered by who may ask.
            if wait and not taken:
                raise Unavailable("the work queue does not answer") from error
        except LOST as error:
            raise Unavailable("the work queue does not answer") from error

    async def _collect(self, reply: str, most: int, taken: list[Delivery]) -> None:
        """Add what arrives to `taken`, until that is all that was asked for or the request has ended."""
        while len(taken) < most:
            message = await self._next_of(taken)
            if message is None:
                return
            status = _status(message)
            if not status:
                taken.append(_delivery(message))
            elif message.subject != reply:
                continue  # the end of an earlier request
            elif status in _ENDED:
                return
            else:  # no durable, no JetStream yet, no leader
                raise Unavailable(f"the work queue answers with status {status}")

    async def _next_of(self, taken: Sequence[Delivery]) -> Msg | None:
        """Answer what arrives next; None if there is something in hand already and nothing more comes at once.

        A server that may not hand out all that was asked for (`max_ack_pending`) never ends the request (seen).
        """
        if not taken:
            return await self._arrivals.next()
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                return await self._arrivals.next()
        except TimeoutError:
            return None


@asynccontextmanager
async def pulling(bus: Bus, stream: Stream, durable: Durable) -> AsyncIterator[Puller]:
    """Open a puller on the connection of this moment; when that is lost, `fetch` says so, and another is opened.

    Raises:
        Unavailable: the bus is not connected.
    """
    client = bus.client
    inbox = client.new_inbox()
    arrivals = Arrivals(client)
    try:
        subscription = await client.subscribe(f"{inbox}.*", cb=arrivals.take)
    except LOST as error:
        raise Unavailable("the bus is not available") from error
    try:
        yield Puller(client, stream, durable, inbox, arrivals)
    finally:
        with suppress(nats_errors.Error):  # it ended with its connection
            await subscription.unsubscribe()
        await _give_back([_delivery(message) for message in arrivals.left() if not _status(message)])


async def _give_back(deliveries: Sequence[Delivery]) -> None:
    """Have what was handed out to us handed to somebody else, now rather than in `ack_wait`."""
    for delivery in deliveries:
        await delivery.again(timedelta(0))


def _status(message: Msg) -> str:
    """Answer the status with which a request ends; empty for a message of the stream."""
    return (message.headers or {}).get(api.Header.STATUS, "")


def _delivery(message: Msg) -> Delivery:
    metadata = message.metadata
    return Delivery(
        subject=message.subject,
        payload=message.data,
        message_id=(message.headers or {}).get(api.Header.MSG_ID, ""),
        sequence=metadata.sequence.stream,
        tries=metadata.num_delivered,
        stored=metadata.timestamp,
        message=message,
    )
