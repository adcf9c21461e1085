"""The path of a request's scans: validate, publish, and say of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scanmesh.ingest.v1 import scan_pb2

from services.chassis import telemetry
from services.chassis.errors import Reason
from services.chassis.identity import Identity
from services.chassis.subjects import Lane
from services.ingest import scan as rules
from services.ingest.batch import Rejection
from services.ingest.publisher import ScanPublisher

NOT_DURABLE_RETRY = timedelta(seconds=2)
"""About what a restarted JetStream takes to come back."""
_SCANS_AT_A_TIME = 100

_scans = telemetry.meter(__name__).create_counter(
    "ingest.scans", description="scans by lane and what became of them"
)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of the scans of one request."""

    accept_time: datetime
    accepted_count: int
    rejections: tuple[Rejection, ...]
    """In the order of their index."""


class Acceptor:
    """Takes the scans of one request at a time."""

    def __init__(self, publisher: ScanPublisher) -> None:
        self._publisher = publisher

    async def accept(
        self,
        identity: Identity,
        scans: Sequence[scan_pb2.Scan],
        now: datetime,
        *,
        bulk: bool,
        max_attribute_value: int = rules.MAX_ATTRIBUTE_VALUE,
    ) -> Acceptance:
        """Accept what is valid and gets onto disk.

        Args:
            identity: the scanner they come from.
            scans: as they were sent; they are normalised in place.
            now: the accept time of them all.
            bulk: whether the caller asked for the bulk lane; else its plan's lane is taken.
            max_attribute_value: characters of an attribute.

        Raises:
            Overloaded: nothing was published; this replica has enough to do.
        """
        lane = Lane.BULK if bulk else Lane(identity.lane)
        valid, rejections = await _sift(scans, now, max_attribute_value)
        durable = await self._publisher.publish(identity, lane, [scans[index] for index in valid], now)
        rejections += [
            Rejection(index, scans[index].scan_id, Reason.NOT_DURABLE, retry_delay=NOT_DURABLE_RETRY)
            for index, on_disk in zip(valid, durable, strict=True)
            if not on_disk
        ]
        accepted = sum(durable)
        _count(lane, accepted, rejections)
        return Acceptance(now, accepted, tuple(sorted(rejections, key=lambda rejection: rejection.index)))


async def _sift(
    scans: Sequence[scan_pb2.Scan], now: datetime, max_attribute_value: int
) -> tuple[list[int], list[Rejection]]:
    """Answer the indexes of the scans that may be accepted, and what is wrong with the others."""
    valid: list[int] = []
    rejections: list[Rejection] = []
    for index, scan in enumerate(scans):
        if index % _SCANS_AT_A_TIME == _SCANS_AT_A_TIME - 1:
            await asyncio.sleep(0)  # a large batch must not keep others waiting, the bus' pings among them
        rules.normalise(scan)
        found = rules.violations(scan, now, max_attribute_value=max_attribute_value)
        if found:
            rejections.append(Rejection(index, scan.scan_id, Reason.INVALID_ARGUMENT, found))
        else:
            valid.append(index)
    return valid, rejections


def _count(lane: Lane, accepted: int, rejections: Sequence[Rejection]) -> None:
    if accepted:
        _scans.add(accepted, {"lane": lane, "outcome": "accepted"})
    for rejection in rejections:
        _scans.add(1, {"lane": lane, "outcome": rejection.reason.lower()})
