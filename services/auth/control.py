"""Telling everybody what has changed, until everybody has been told; and proving four times a second that we could.

A change and its mark are committed together. Whoever made it publishes it (Valkey's field, then CONTROL) and answers
after both are acknowledged. Should that fail, or the process die, the mark is still there, and every replica looks
for such marks each second. A change that is published twice is the same message twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.message import DecodeError

from services.auth import events
from services.auth.cache import SharedCache
from services.auth.changes import Change
from services.auth.revocations import KEPT, MAX_SILENCE, Revocations
from services.auth.store_mark import MarkStore
from services.chassis import ids, subjects
from services.chassis.bus import Bus, Outcome
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable

_BEAT_SECONDS = 0.25
_BEAT_LIFETIME = timedelta(seconds=5)
_LEFT_BEHIND_SECONDS = 1.0
_PUBLISH_SECONDS = 1.0
_CLAIMED_AT_ONCE = 100

_log = logging.getLogger(__name__)


class NotPublished(Unavailable):
    """The change is made and holds, but not everybody is known to have been told of it yet."""

    def __init__(self) -> None:
        super().__init__("the change is made, but not published yet; make it again to learn when it is")


class Control:
    """Publishes this replica's changes and the ones that others left behind."""

    def __init__(
        self, bus: Bus, shared: SharedCache, marks: MarkStore, revocations: Revocations, clock: Clock
    ) -> None:
        self._bus = bus
        self._shared = shared
        self._marks = marks
        self._revocations = revocations
        self._clock = clock
        self._woken = asyncio.Event()

    async def settle(self, company_id: int) -> None:
        """Publish every change of a company that is not published yet, an earlier call's included.

        So a caller that was told `NotPublished` makes its change again and, when that is answered, knows that the
        first one has reached everybody as well.

        Raises:
            Unavailable: somebody could not be told; the mark stays, and some replica tries again each second.
        """
        try:
            changes = await self._marks.due(company_id)
        except Unavailable as error:
            raise NotPublished from error
        if not await self._publish_all(changes):
            raise NotPublished

    def wake(self) -> None:
        """Have changes published soon for which nobody needs to wait: a new resource has no credential to end."""
        self._woken.set()

    async def publish_left_behind(self) -> None:
        """Publish marks that are left, for ever."""
        while True:
            try:
                done = await self._publish_some()
            except Unavailable as error:
                _log.warning("marks cannot be read", extra={"error": str(error)})
                done = True
            if done:
                await self._pause()

    async def beat(self) -> None:
        """Prove four times a second, for ever, that what is published arrives."""
        loop = asyncio.get_running_loop()
        while True:
            await self._bus.publish(
                subjects.CONTROL_BEAT,
                events.encode_beat(self._clock()),
                message_id=ids.message_id(),
                deadline=loop.time() + _BEAT_SECONDS,
                ttl=_BEAT_LIFETIME,
            )
            await asyncio.sleep(_BEAT_SECONDS)

    async def follow(self) -> None:
        """Learn of every change, for ever, from those of the last two hours on."""
        since = self._clock() - KEPT
        async for event in self._bus.follow(subjects.CONTROL, since=since, silence=MAX_SILENCE):
            self._learn(event.subject, event.payload)

    def _learn(self, subject: str, payload: bytes) -> None:
        now = self._clock()
        try:
            if subject == subjects.CONTROL_BEAT:
                self._revocations.beat(events.decode_beat(payload), now)
            elif (news := events.decode(subject, payload)) is not None:
                self._revocations.apply(news.company_id, news.subjects, news.revision, now)
        except DecodeError:
            # A newer replica cannot write so (protos only grow): foreign bytes, which must not stop the feed.
            _log.exception("an event cannot be read", extra={"subject": subject})

    async def _publish_some(self) -> bool:
        """Publish as many marks as one claim takes, and tell whether there is nothing more to do for now."""
        changes = await self._marks.claim(limit=_CLAIMED_AT_ONCE)
        published = await self._publish_all(changes)
        if not published:
            _log.warning("changes are left to publish")
        return not published or len(changes) < _CLAIMED_AT_ONCE

    async def _publish_all(self, changes: Sequence[Change]) -> bool:
        return all(await asyncio.gather(*map(self._publish, changes)))

    async def _publish(self, change: Change) -> bool:
        """Tell everybody of a change, and tell whether everybody is known to have been told."""
        if not change.created:
            # Own memory first: from here on this replica, at least, refuses what is revoked.
            self._revocations.apply(change.company_id, change.subjects, change.revision, self._clock())
        # Both, whatever becomes of the other: with Valkey away, the memories of the replicas must learn of it still.
        told = await asyncio.gather(self._tell_cache(change), self._tell_followers(change))
        if not all(told):
            return False
        try:
            await self._marks.published(change)
        except Unavailable:
            return False  # published once more, by whoever finds the mark
        return True

    async def _tell_cache(self, change: Change) -> bool:
        if change.created:  # nothing can have been cached of it
            return True
        try:
            await self._shared.announce(change.company_id, change.subjects, change.revision)
        except Unavailable:
            return False
        return True

    async def _tell_followers(self, change: Change) -> bool:
        subject, payload = events.encode(change)
        deadline = asyncio.get_running_loop().time() + _PUBLISH_SECONDS
        outcome = await self._bus.publish(
            subject, payload, message_id=change.change_id.hex, deadline=deadline
        )
        return outcome is Outcome.ACKED

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LEFT_BEHIND_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()
