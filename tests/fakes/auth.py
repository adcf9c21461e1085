"""Stand-ins for what auth stands on: a clock that tests set, and a bus that they take down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from services.auth.events import encode_beat
from services.chassis.bus import Outcome
from services.chassis.errors import Unavailable
from services.chassis.feed import Event
from services.chassis.subjects import CONTROL_BEAT, Stream


class SettableClock:
    """Shows the time it was made, or another one, until it is moved on."""

    def __init__(self, shown: datetime | None = None) -> None:
        self._now = shown or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move time on."""
        self._now += by


class FakeBus:
    """One stream in memory, for any number of replicas: in order, each message once by its id."""

    def __init__(self) -> None:
        self.up = True
        self._events: list[Event] = []
        self._ids: set[str] = set()
        self._grown = asyncio.Condition()

    def published(self) -> list[Event]:
        """Answer everything in the stream but beats."""
        return [event for event in self._events if event.subject != CONTROL_BEAT]

    async def beaten(self, clock: SettableClock) -> None:
        """Wait until a beat has come that was sent at the time the clock shows, and was read."""
        sent = encode_beat(clock())
        async with asyncio.timeout(5), self._grown:
            await self._grown.wait_for(lambda: any(event.payload == sent for event in self._events))
            count = len(self._events)
            await self._grown.wait_for(lambda: len(self._events) > count)

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, deadline: float, ttl: timedelta | None = None
    ) -> Outcome:
        if not self.up:
            return Outcome.REFUSED
        async with self._grown:
            if message_id not in self._ids:
                self._ids.add(message_id)
                self._events.append(Event(subject, payload, datetime.now(UTC)))
                self._grown.notify_all()
        return Outcome.ACKED

    async def follow(self, stream: Stream, *, since: datetime, silence: timedelta) -> AsyncIterator[Event]:
        position = 0
        while True:
            async with self._grown:
                await self._grown.wait_for(lambda: len(self._events) > position)  # noqa: B023 - read in place
            yield self._events[position]
            position += 1

    async def ping(self) -> None:
        if not self.up:
            raise Unavailable("the bus is down")
