"""The bus as the recorder sees it, in memory: what it publishes, and messages handed out as often as a test likes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from google.protobuf.message import Message as Proto
from scanmesh.billing.v1 import usage_pb2
from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import ids, wire
from services.chassis.bus import Outgoing
from services.chassis.clock import Clock
from services.chassis.holdings import StreamState
from services.chassis.pull import Delivery
from services.chassis.subjects import (
    DEADLETTER,
    RECORDED,
    SCANS,
    USAGE,
    Lane,
    Stream,
    scan_accepted,
)

NOW = datetime(2026, 11, 20, 12, 0, 7, tzinfo=UTC)
SCANNER = "01890a5d-ac96-774b-bcce-b302099a8057"
_Event = TypeVar("_Event", bound=Proto)


def submission(
    company_id: int,
    *scans: scan_pb2.Scan,
    scanner_id: str = SCANNER,
    region: str = "local",
    at: datetime = NOW,
) -> events_pb2.Submission:
    """The accepted scans of one request."""
    return events_pb2.Submission(
        company_id=company_id,
        scanner_id=scanner_id,
        region=region,
        accept_time=wire.timestamp(at),
        scans=scans,
    )


async def go_on(step: str) -> None:
    """Let every step be."""


@dataclass(frozen=True)
class Published:
    """What has been published, in order, duplicates included."""

    messages: list[Outgoing]

    def of(self, stream: Stream, kind: type[_Event]) -> list[_Event]:
        """The events of a stream, each id once as consumers see them."""
        first: dict[str, _Event] = {}
        for message in self.messages:
            if message.subject in stream.subjects:
                first.setdefault(message.message_id, kind.FromString(message.payload))
        return list(first.values())

    def recorded(self) -> list[str]:
        """The ids of the scans in RECORDED."""
        return [scan_id for _, scan_id in self.recorded_keys()]

    def recorded_keys(self) -> list[tuple[int, str]]:
        """The companies and ids of the scans in RECORDED."""
        parts = [part for event in self.of(RECORDED, events_pb2.ScansRecorded) for part in event.submissions]
        return [(part.company_id, each.scan.scan_id) for part in parts for each in part.scans]

    def usage(self) -> list[usage_pb2.UsageEvent]:
        """The rows for the ledger, each id once."""
        messages = self.of(USAGE, usage_pb2.UsageRecorded)
        return list({event.event_id: event for message in messages for event in message.events}.values())

    def letters(self) -> list[events_pb2.DeadLetterWritten]:
        """The dead letters."""
        return self.of(DEADLETTER, events_pb2.DeadLetterWritten)


class Queues:
    """SCANS, and what is derived from it. Each one is a stream of its own epoch."""

    def __init__(self, now: Clock = lambda: NOW) -> None:
        self.now = now
        """The clock of the server."""
        self.epoch = ids.message_id()
        self.waiting: dict[int, Delivery] = {}
        """What SCANS holds, by sequence."""
        self.published = Published([])
        self.step: Callable[[str], Awaitable[None]] = go_on
        """Awaited before each message is published; may raise."""
        self.oldest: dict[str, timedelta] = {}
        """The age of the oldest message by stream; one that is not named here holds none, or new ones."""
        self._last = 0

    def accept(
        self,
        *submissions: events_pb2.Submission,
        lane: Lane = Lane.STANDARD,
        replays: str = "",
        version: int = 1,
    ) -> Delivery:
        """Put a message into SCANS and answer its first delivery."""
        body = events_pb2.ScansAccepted(
            derivation_version=version, submissions=submissions, replayed_message_id=replays
        )
        return self.put(body.SerializeToString(), lane=lane)

    def put(self, payload: bytes, *, lane: Lane = Lane.STANDARD) -> Delivery:
        """Put bytes into SCANS."""
        self._last += 1
        delivery = Delivery(scan_accepted(lane), payload, ids.message_id(), self._last, 1, NOW)
        self.waiting[self._last] = delivery
        return delivery

    def again(self, sequence: int) -> Delivery:
        """Hand a message out once more."""
        delivery = self.waiting[sequence]
        self.waiting[sequence] = replace(delivery, tries=delivery.tries + 1)
        return self.waiting[sequence]

    def ack(self, delivery: Delivery) -> None:
        """Take a message off SCANS."""
        self.waiting.pop(delivery.sequence, None)

    async def hand_over(self, messages: Iterable[Outgoing]) -> None:
        """Publish as `Bus.hand_over` does, one after the other."""
        for message in messages:
            await self.step("publish")
            self.published.messages.append(message)

    async def state(self, stream: Stream) -> StreamState:
        """Answer as `Bus.state` does."""
        held = self.waiting if stream == SCANS else {}
        age = self.oldest.get(stream.name, timedelta(0) if held else None)
        return StreamState(
            first_sequence=min(held, default=self._last + 1),
            last_sequence=self._last,
            messages=len(held),
            size=0,
            max_size=1,
            time=self.now(),
            oldest=age,
            epoch=self.epoch,
        )
