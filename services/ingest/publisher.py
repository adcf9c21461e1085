"""Hands accepted scans to JetStream and says, scan by scan, which of them are on disk.

Many scans travel in one message: a durable write costs the same for one scan as for a thousand. A message is never
changed after its id was minted: the same bytes go out again under the same id, or it is another message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from scanmesh.ingest.v1 import events_pb2, scan_pb2

from services.chassis import deadline, ids, wire
from services.chassis.bus import Bus, Outcome
from services.chassis.identity import Identity
from services.chassis.subjects import Lane, scan_accepted
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


class ScanPublisher:
    """Publishes scans; a caller that hangs up does not cancel what it has begun."""

    def __init__(self, bus: Bus, in_flight: InFlight) -> None:
        self._bus = bus
        self._in_flight = in_flight
        self._publishing: set[asyncio.Task[list[Outcome]]] = set()

    async def publish(
        self, identity: Identity, lane: Lane, scans: Sequence[scan_pb2.Scan], accept_time: datetime
    ) -> list[bool]:
        """Publish valid scans of one caller; answer for each whether it is on disk, in their order.

        False means unknown or refused: the device keeps the scan and sends it again.

        Raises:
            Overloaded: nothing was published; too much is being published already.
        """
        envelope = _message(identity, (), accept_time).ByteSize() + _GROWTH_BYTES
        chunks = _chunks(scans, MAX_MESSAGE_BYTES - envelope)
        payloads = [_message(identity, chunk, accept_time).SerializeToString() for chunk in chunks]
        by = deadline.within(PUBLISH_SECONDS, margin=_ANSWER_MARGIN_SECONDS)
        task = asyncio.create_task(self._publish(scan_accepted(lane), payloads, by))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
        outcomes = await asyncio.shield(task)
        return [
            outcome is Outcome.ACKED for chunk, outcome in zip(chunks, outcomes, strict=True) for _ in chunk
        ]

    async def _publish(self, subject: str, payloads: Sequence[bytes], by: float) -> list[Outcome]:
        with self._in_flight.hold(sum(map(len, payloads))):
            return await asyncio.gather(
                *(
                    self._bus.publish(subject, payload, message_id=ids.message_id(), deadline=by)
                    for payload in payloads
                )
            )

    async def drain(self) -> None:
        """Wait for what is being published, callers gone or not; a publish ends by its deadline."""
        await asyncio.gather(*self._publishing, return_exceptions=True)


@asynccontextmanager
async def running(bus: Bus, in_flight: InFlight) -> AsyncIterator[ScanPublisher]:
    """Open a publisher; leaving waits until everything begun is known."""
    publisher = ScanPublisher(bus, in_flight)
    try:
        yield publisher
    finally:
        await publisher.drain()


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
    return events_pb2.ScansAccepted(derivation_version=DERIVATION_VERSION, submissions=[submission])
