"""A bus in memory that keeps what it is given and fails as it is told; `tests/stores/bus` proves it beside NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.chassis.bus import MAX_PAYLOAD_BYTES, Outcome, Outgoing
from services.chassis.errors import Unavailable
from services.chassis.feed import Event
from services.chassis.subjects import STREAMS, Stream


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody asked to publish."""

    subject: str
    payload: bytes
    message_id: str
    asked: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


class RecordingBus:
    """Takes messages for its streams, each id once, and remembers every one it was offered."""

    def __init__(self, *streams: Stream) -> None:
        self._streams = streams or STREAMS
        self._grown = asyncio.Condition()
        self.up = True
        """Whether it is connected."""
        self.fate: Callable[[Message], Outcome] = lambda _: Outcome.ACKED
        """What becomes of a message that a stream would take; one of unknown fate is not kept here."""
        self.open = asyncio.Event()
        """Unset, it holds back every answer."""
        self.open.set()
        self.offered: list[Message] = []
        """Everything that it was asked to publish, in order."""
        self.stored: list[Message] = []
        """What its streams hold, in order."""

    @property
    def connected(self) -> bool:
        """Whether it is up."""
        return self.up

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
        """Publish as `Bus.publish` does, except that an unknown fate is known at once."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"{len(payload)} bytes are too many")
        message = Message(subject, payload, message_id)
        self.offered.append(message)
        await self.open.wait()
        if after is not None and after != self._last(subject):
            return Outcome.REFUSED
        if not self._takes(subject) or asyncio.get_running_loop().time() >= deadline:
            return Outcome.REFUSED
        outcome = self.fate(message)
        if outcome is Outcome.ACKED:
            await self._store(message)
        return outcome

    async def hand_over(self, messages: Iterable[Outgoing]) -> None:
        """Publish derived messages, or raise Unavailable."""
        deadline = asyncio.get_running_loop().time() + 5
        for each in messages:
            outcome = await self.publish(
                each.subject, each.payload, message_id=each.message_id, deadline=deadline
            )
            if outcome is not Outcome.ACKED:
                raise Unavailable("not everything that was derived is known to be on disk")

    async def ping(self) -> None:
        """Return if it is up."""
        if not self.up:
            raise Unavailable("the bus is not connected")

    async def require(self, *streams: Stream) -> None:
        """Return if it is up and has these streams."""
        await self.ping()
        if not set(streams) <= set(self._streams):
            raise Unavailable("a stream is missing")

    async def follow(self, stream: Stream, *, since: datetime, silence: timedelta) -> AsyncIterator[Event]:
        """Read a stream in order, from `since` on and for ever."""
        position = 0
        while True:
            async with self._grown:
                while position >= len(self.stored):
                    await self._grown.wait()
            message = self.stored[position]
            position += 1
            if message.subject in stream.subjects and message.asked >= since:
                yield Event(message.subject, message.payload, message.asked)

    def _last(self, subject: str) -> int:
        """The sequence of a subject's last message, as if there were one stream."""
        numbered = enumerate(self.stored, 1)
        return max((number for number, message in numbered if message.subject == subject), default=0)

    def _takes(self, subject: str) -> bool:
        return self.up and any(subject in stream.subjects for stream in self._streams)

    async def _store(self, message: Message) -> None:
        async with self._grown:
            if message.message_id not in {each.message_id for each in self.stored}:
                self.stored.append(message)
                self._grown.notify_all()
