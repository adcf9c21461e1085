"""The path of a request's scans: validate, spend, publish, and say of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scanmesh.ingest.v1 import scan_pb2

from services.chassis import telemetry
from services.chassis.bus import Outcome
from services.chassis.errors import Reason
from services.chassis.identity import Identity
from services.chassis.plans import Plan
from services.chassis.subjects import Lane
from services.ingest import scan as rules
from services.ingest.backlog import Backlog
from services.ingest.batch import Rejection
from services.ingest.errands import Errands
from services.ingest.grants import Grant
from services.ingest.limiter import Limiter
from services.ingest.publisher import ScanPublisher
from services.ingest.shedding import Overloaded, Shedder, shed, spread

_NOT_DURABLE_RETRY = timedelta(seconds=2)
"""At the soonest: about what a restarted JetStream takes to come back."""
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


@dataclass(frozen=True, slots=True)
class Room:
    """What says that there is no room for more scans of a lane."""

    shedder: Shedder
    backlog: Backlog

    def admit(self, lane: Lane) -> None:
        """Let a request of a lane through.

        Raises:
            Overloaded: it has to come again.
        """
        behind = self.backlog.overload(lane)
        if behind is not None:
            shed(lane, "room")
            raise behind
        self.shedder.admit(lane)


@dataclass(frozen=True, slots=True)
class _Request:
    """The scans of one request, and how they came."""

    identity: Identity
    lane: Lane
    scans: Sequence[scan_pb2.Scan]

    def pick(self, indexes: Sequence[int]) -> list[scan_pb2.Scan]:
        """Answer some of the scans."""
        return [self.scans[index] for index in indexes]

    def reject(
        self, indexes: Iterable[int], reason: Reason, retry_delay: timedelta | None, *, limit: str = ""
    ) -> list[Rejection]:
        """Answer that some of the scans are to come again."""
        return [
            Rejection(index, self.scans[index].scan_id, reason, retry_delay=retry_delay, limit=limit)
            for index in indexes
        ]


class Acceptor:
    """Takes the scans of one request at a time; a caller that hangs up does not cancel what it has begun."""

    def __init__(
        self,
        room: Room,
        limiter: Limiter,
        publisher: ScanPublisher,
        errands: Errands,
        plan_of: Callable[[int], Plan],
    ) -> None:
        self._room = room
        self._limiter = limiter
        self._publisher = publisher
        self._errands = errands
        self._plan_of = plan_of

    async def accept(
        self,
        identity: Identity,
        scans: Sequence[scan_pb2.Scan],
        now: datetime,
        *,
        bulk: bool,
        max_attribute_value: int = rules.MAX_ATTRIBUTE_VALUE,
    ) -> Acceptance:
        """Accept what is valid, within the limits, and gets onto disk.

        Args:
            identity: the scanner they come from.
            scans: as they were sent; they are normalised in place.
            now: judges their scan times; when they count as accepted, the limiter says.
            bulk: whether the caller asked for the bulk lane; else its plan's lane is taken.
            max_attribute_value: characters of an attribute.

        Raises:
            DeadlineExceeded: the caller has left too little time to accept anything.
            Overloaded: nothing was looked at; more comes than this process can serve, or has room for.
        """
        request = _Request(identity, Lane.BULK if bulk else self._lane(identity), scans)
        self._room.admit(request.lane)  # before anything is looked at: sending away must cost next to nothing
        valid, rejections = await _sift(scans, now, max_attribute_value)
        accept_time = now
        if valid:
            admission = self._errands.begin(self._admit(request, valid, now))
            accept_time, refused = await asyncio.shield(admission)
            rejections += refused
        accepted = len(scans) - len(rejections)
        _count(request.lane, accepted, rejections)
        return Acceptance(
            accept_time, accepted, tuple(sorted(rejections, key=lambda rejection: rejection.index))
        )

    def _lane(self, identity: Identity) -> Lane:
        """Answer the lane of the plan, of which `auth` may not have heard; without anybody who has, the standard one."""
        return Lane(identity.lane or self._plan_of(identity.company_id).lane or Lane.STANDARD)

    async def _admit(
        self, request: _Request, valid: Sequence[int], now: datetime
    ) -> tuple[datetime, list[Rejection]]:
        """Answer when valid scans were accepted, and those that were not."""
        try:
            grant = await self._limiter.spend(request.identity, len(valid))
        except Overloaded as overload:
            return now, request.reject(valid, overload.reason, overload.retry_delay)
        rejections = await self._publish(request, valid[: grant.granted], grant)
        if grant.refusal is not None:
            why = grant.refusal
            rejections += request.reject(valid[grant.granted :], why.reason, why.retry_delay, limit=why.limit)
        return grant.accept_time, rejections

    async def _publish(self, request: _Request, granted: Sequence[int], grant: Grant) -> list[Rejection]:
        """Answer the scans that are not known to be on disk; what is known not to be there is given back."""
        unstored = 0
        try:
            outcomes = await self._publisher.publish(
                request.identity, request.lane, request.pick(granted), grant.accept_time
            )
            unstored = outcomes.count(Outcome.REFUSED)
        except Overloaded as overload:
            unstored = len(granted)
            return request.reject(granted, overload.reason, overload.retry_delay)
        finally:  # of a fault nothing is known; those who share the spend must hear of it all the same
            self._limiter.settle(request.identity, grant, unstored)
        lost = [index for index, known in zip(granted, outcomes, strict=True) if known is not Outcome.ACKED]
        return request.reject(lost, Reason.NOT_DURABLE, spread(_NOT_DURABLE_RETRY))


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
