"""Buckets of the bus: the last value of each key, written by one service, known by heart to the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.message import DecodeError

from services.chassis import ids
from services.chassis.bus import Bus, Outcome
from services.chassis.errors import Unavailable
from services.chassis.subjects import Stream

_PUT_SECONDS = 2.0
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
_SILENCE = timedelta(seconds=30)
"""A bucket may be silent for long: this often its reader looks whether the feed is alive."""
_RETRY_SECONDS = 0.25
_LOOK_SECONDS = 0.02

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under a key."""

    value: bytes
    sequence: int
    """Names this state of the key: `put` takes it as the one to follow."""


def _prefix(stream: Stream) -> str:
    (subject,) = stream.subjects
    return subject.removesuffix(">")


class Bucket:
    """Reads and writes single keys of a bucket."""

    def __init__(self, bus: Bus, stream: Stream) -> None:
        self._bus = bus
        self._stream = stream

    async def get(self, key: str) -> Entry | None:
        """Answer what stands under a key; None if nothing ever did.

        Raises:
            Unavailable: the bus does not answer.
        """
        last = await self._bus.last(self._stream, _prefix(self._stream) + key)
        return None if last is None else Entry(last.payload, last.sequence)

    async def put(self, key: str, value: bytes, *, after: int) -> bool:
        """Set a key unless somebody else has meanwhile, and tell whether it was set.

        Args:
            key: words of letters, digits, `_` and `-` with dots between them.
            value: the new value.
            after: the sequence of the entry it follows; 0 if there was none.

        Raises:
            Unavailable: it is not known whether it was set.
        """
        outcome = await self._bus.publish(
            _prefix(self._stream) + key,
            value,
            message_id=ids.message_id(),
            deadline=asyncio.get_running_loop().time() + _PUT_SECONDS,
            after=after,
        )
        if outcome is Outcome.UNKNOWN:
            raise Unavailable(f"it is not known whether {key} was set")
        if outcome is Outcome.REFUSED:
            await self._bus.ping()  # else it was refused because there is no bus
        return outcome is Outcome.ACKED

    async def heard(self, key: str, by: float) -> None:
        """Return when every replica of the bucket has learned what stands under a key now.

        One that has lost its connection is waited for 2 s; later it learns when it has one again.

        Args:
            key: one that has been set.
            by: the loop time until which they are waited for.

        Raises:
            Unavailable: the bus does not answer, or some replica has not learned it in time.
        """
        try:
            async with asyncio.timeout_at(by):
                entry = await self.get(key)
                if entry is None:
                    raise Unavailable(f"{key} is lost")
                while not await self._bus.heard(self._stream, entry.sequence):  # noqa: ASYNC110 - elsewhere
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"not every replica has learned {key}") from error


class Replica:
    """Tells everything that stands in a bucket, and every change from then on."""

    def __init__(self, bus: Bus, stream: Stream, learn: Callable[[str, bytes], None]) -> None:
        """Describe the replica.

        Args:
            bus: where the bucket is.
            stream: the bucket.
            learn: told each key and value, in order, an old one again now and then; DecodeErrors of it are logged.
        """
        self._bus = bus
        self._stream = stream
        self._learn = learn
        self.loaded = asyncio.Event()
        """Set when everything has been told that stood in the bucket when the replica began."""

    async def run(self) -> None:
        """Follow the bucket, for ever."""
        stored = await self._stored()
        if not stored:
            self.loaded.set()
        prefix = _prefix(self._stream)
        async for event in self._bus.follow(self._stream, since=_BEGINNING, silence=_SILENCE):
            self._tell(event.subject.removeprefix(prefix), event.payload)
            if event.sequence >= stored:
                self.loaded.set()

    async def _stored(self) -> int:
        while True:
            try:
                state = await self._bus.state(self._stream)
            except Unavailable as error:
                _log.info("waiting for a bucket", extra={"stream": self._stream.name, "error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return state.last_sequence if state.messages else 0

    def _tell(self, key: str, value: bytes) -> None:
        try:
            self._learn(key, value)
        except DecodeError:
            # No writer of ours makes such bytes (protos only grow); they must not stop the feed.
            _log.exception("an entry cannot be read", extra={"stream": self._stream.name, "key": key})
