"""Hands accepted scans to JetStream and says, scan by scan, which of them are on disk.

Many scans travel in one message: a durable write costs the same for one scan as for a thousand. So the scans of
requests that come while messages of their lane are under way go together, each request a submission of its own, and no
more scans than a batch may have: whatever takes a message takes it whole. A message is never changed after its id was
minted: the same bytes go out again under the same id, or it is another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import deadline, ids, wire
from services.chassis.batcher import Batcher
from services.chassis.bus import Bus, Outcome
from services.chassis.identity import Identity
from services.chassis.subjects import Lane, scan_accepted
from services.ingest.batch import MAX_SCANS
from services.ingest.in_flight import InFlight

DERIVATION_VERSION = 1
"""Stamped into every message: whatever is derived from it later is derived by the rules of this version."""
MAX_MESSAGE_BYTES = 512 * 1024
PUBLISH_SECONDS = 10.0
_ANSWER_MARGIN_SECONDS = 0.3
"""Kept of the caller's deadline: NOT_DURABLE must reach the device before it gives up."""
_SCAN_OVERHEAD_BYTES = 8
"""Tag and length of a scan inside a message, rounded up."""
_GROWTH_BYTES = 4
"""By how much the length of a message's one submission grows when the submission is filled, rounded up."""
_MESSAGES_AT_ONCE = 2
"""Of a lane: the next one is on its way while the disk writes the one before."""
_VERSION = events_pb2.ScansAccepted(derivation_version=DERIVATION_VERSION).SerializeToString()
_ROOM = MAX_MESSAGE_BYTES - len(_VERSION)
"""Bytes in a message for what is submitted."""
_BYTES_PER_SCAN = _ROOM // MAX_SCANS
"""A scan counts as so many at least: a thousand of them fill a message, however small they are."""


@dataclass(slots=True)
class _Part:
    """Scans of one request as they stand in a message: parts behind each other are a message as well."""

    payload: bytes
    by: float
    """Loop time at which its caller wants an answer."""
    latest: float
    """Loop time after which it must not be published any more, whoever else wants an answer then."""
    sent: bool = False
    """Whether it may be on disk."""


class ScanPublisher:
    """Publishes scans, so many of a lane at once, the others waiting in order, as many as there is room for."""

    def __init__(self, bus: Bus, in_flight: InFlight) -> None:
        self._bus = bus
        self._in_flight = in_flight
        self._lanes = {lane: self._batcher(lane) for lane in Lane}

    async def publish(
        self, identity: Identity, lane: Lane, scans: Sequence[scan_pb2.Scan], accept_time: datetime
    ) -> list[Outcome]:
        """Publish valid scans of one caller; answer for each what is known of its message, in their order.

        A device keeps what is not ACKED and sends it again; only what is REFUSED is known not to be stored.

        Raises:
            Overloaded: nothing was published; too much is being published already.
        """
        envelope = len(_VERSION) + _message(identity, (), accept_time).ByteSize() + _GROWTH_BYTES
        chunks = _chunks(scans, MAX_MESSAGE_BYTES - envelope)
        by = deadline.within(PUBLISH_SECONDS, margin=_ANSWER_MARGIN_SECONDS)
        latest = asyncio.get_running_loop().time() + PUBLISH_SECONDS
        payloads = [_message(identity, chunk, accept_time).SerializeToString() for chunk in chunks]
        with self._in_flight.hold(lane, sum(map(len, payloads))):
            outcomes = await asyncio.gather(
                *(
                    self._outcome(lane, _Part(payload, by, latest), len(chunk))
                    for payload, chunk in zip(payloads, chunks, strict=True)
                )
            )
        return [outcome for chunk, outcome in zip(chunks, outcomes, strict=True) for _ in chunk]

    async def _outcome(self, lane: Lane, part: _Part, scans: int) -> Outcome:
        """Answer what is known of a part when its caller wants to know; without a bus at once, behind nobody who waits."""
        if part.by <= asyncio.get_running_loop().time() or not self._bus.connected:
            return Outcome.REFUSED
        weight = max(len(part.payload), scans * _BYTES_PER_SCAN)
        try:
            async with asyncio.timeout_at(part.by):
                return await self._lanes[lane].do(part, weight)
        except TimeoutError:
            return Outcome.UNKNOWN if part.sent else Outcome.REFUSED

    def _batcher(self, lane: Lane) -> Batcher[_Part, Outcome]:
        async def publish(parts: Sequence[_Part]) -> Sequence[Outcome]:
            for part in parts:
                part.sent = True
            payload = b"".join([_VERSION, *(part.payload for part in parts)])
            by = min(max(part.by for part in parts), *(part.latest for part in parts))
            outcome = await self._bus.publish(
                scan_accepted(lane), payload, message_id=ids.message_id(), deadline=by
            )
            return [outcome] * len(parts)

        return Batcher(publish, max_weight=_ROOM, at_once=_MESSAGES_AT_ONCE)


def _chunks(scans: Sequence[scan_pb2.Scan], max_bytes: int) -> list[list[scan_pb2.Scan]]:
    """Split scans, in order, into parts of at most `max_bytes`; a single scan always fits."""
    chunks: list[list[scan_pb2.Scan]] = []
    room = 0
    for scan in scans:
        size = scan.ByteSize() + _SCAN_OVERHEAD_BYTES
        if size > room:
            chunks.append([])
            room = max_bytes
        chunks[-1].append(scan)
        room -= size
    return chunks


def _message(
    identity: Identity, scans: Sequence[scan_pb2.Scan], accept_time: datetime
) -> events_pb2.ScansAccepted:
    submission = events_pb2.Submission(
        company_id=identity.company_id,
        scanner_id=identity.subject,
        region=identity.region,
        accept_time=wire.timestamp(accept_time),
        scans=scans,
    )
    return events_pb2.ScansAccepted(submissions=[submission])
