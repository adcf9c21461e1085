"""ScanService: what has become of the scans that were accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from scanmesh.ingest.v1 import query_pb2, query_pb2_grpc, scan_pb2

from services.chassis import identity, paging, telemetry, wire
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.identity import Role
from services.chassis.plans import Plans
from services.ingest import intervals, queries, replays
from services.ingest.intervals import Counts
from services.ingest.lookup import Lookup
from services.ingest.position import Position
from services.ingest.records import Recorded
from services.ingest.replayer import Replayer
from services.ingest.replays import Head
from services.ingest.store_letter import LetterStore
from services.ingest.store_scan import ScanStore
from services.ingest.store_stats import StatsStore

_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is on record."""

    scans: ScanStore
    stats: StatsStore
    letters: LetterStore

    @classmethod
    def of(cls, primary: Database, replica: Database | None = None) -> Books:
        """Open them in a database; what may lag a little is read from its replica, if there is one."""
        reading = replica or primary
        return cls(ScanStore(primary, reading), StatsStore(reading), LetterStore(primary))


class ScanServicer(query_pb2_grpc.ScanServiceServicer):
    """Shows a company its record, and a scanner what it has sent itself."""

    def __init__(self, books: Books, replayer: Replayer, bus: Bus, plans: Plans, *, clock: Clock) -> None:
        self._books = books
        self._lookup = Lookup(books.scans, bus)
        self._replayer = replayer
        self._plans = plans
        self._clock = clock

    async def GetScan(self, request: query_pb2.GetScanRequest, context: Any) -> query_pb2.GetScanResponse:
        company_id, now = identity.caller().company_id, self._clock()
        telemetry.bind(scan_id=request.scan_id[:36])
        oldest = self._oldest(company_id, now)
        scan = await self._lookup.get(company_id, request.scan_id, own=_own(), oldest=oldest, now=now)
        return query_pb2.GetScanResponse(scan=_render(scan))

    async def ListScans(
        self, request: query_pb2.ListScansRequest, context: Any
    ) -> query_pb2.ListScansResponse:
        company_id, now = identity.caller().company_id, self._clock()
        query = queries.scans(request, oldest=self._oldest(company_id, now), now=now, own=_own())
        listed, more = await self._books.scans.list(company_id, query)
        return query_pb2.ListScansResponse(
            scans=map(_render, listed),
            next_page_token=paging.token(queries.SCANS, str(listed[-1].position)) if more else "",
        )

    async def GetScanStats(
        self, request: query_pb2.GetScanStatsRequest, context: Any
    ) -> query_pb2.GetScanStatsResponse:
        query = intervals.parse(request)
        counted = await self._books.stats.count(identity.caller().company_id, query)
        return query_pb2.GetScanStatsResponse(
            buckets=[_render_counts(counts, request.scanner_id) for counts in counted]
        )

    async def ListDeadLetters(
        self, request: query_pb2.ListDeadLettersRequest, context: Any
    ) -> query_pb2.ListDeadLettersResponse:
        page = paging.parse(request.page_size, request.page_token, listing=_LETTERS, key=Position.read)
        found = await self._books.letters.list(identity.caller().company_id, page)
        listed, more = paging.cut(found, page)
        return query_pb2.ListDeadLettersResponse(
            dead_letters=map(_render_letter, listed),
            next_page_token=paging.token(_LETTERS, str(listed[-1].position)) if more else "",
        )

    async def ReplayDeadLetters(
        self, request: query_pb2.ReplayDeadLettersRequest, context: Any
    ) -> query_pb2.ReplayDeadLettersResponse:
        asked = replays.parse(request)
        count = await self._replayer.replay(identity.caller().company_id, asked)
        return query_pb2.ReplayDeadLettersResponse(replayed_count=count)

    def _oldest(self, company_id: int, now: datetime) -> datetime:
        """Answer the accept time of the oldest scan that the company's plan still shows."""
        return now - self._plans.of(company_id).retention


def _own() -> UUID | None:
    """Answer the scanner that calls; None for operators, who see the scans of all."""
    known = identity.caller().identity
    return UUID(known.subject) if known.role is Role.SCANNER else None


def _render(recorded: Recorded) -> scan_pb2.Scan:
    scan = scan_pb2.Scan.FromString(recorded.content)
    scan.scan_id = str(recorded.scan_id)
    scan.company_id = recorded.company_id
    scan.scanner_id = str(recorded.scanner_id)
    scan.kind = recorded.kind
    scan.lane = recorded.lane
    scan.region = recorded.region
    scan.accept_time.CopyFrom(wire.timestamp(recorded.accept_time))
    return scan


def _render_counts(counts: Counts, scanner_id: str) -> query_pb2.StatsBucket:
    return query_pb2.StatsBucket(
        start_time=wire.timestamp(counts.start),
        scanner_id=scanner_id,
        kind=counts.kind,
        region=counts.region,
        recorded=counts.recorded,
        enriched=counts.enriched,
        failed=counts.failed,
    )


def _render_letter(letter: Head) -> query_pb2.DeadLetter:
    return query_pb2.DeadLetter(
        dead_letter_id=str(letter.dead_letter_id),
        scan_id=str(letter.scan_id) if letter.scan_id is not None else "",
        consumer=letter.consumer,
        reason=letter.reason,
        tries=letter.tries,
        fail_time=wire.timestamp(letter.fail_time),
    )
