"""Finding one scan, and telling "not there" from "not there yet"."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.chassis import watermark
from services.chassis.bus import Bus
from services.chassis.fields import resource_id
from services.chassis.subjects import DEADLETTER, SCANS
from services.ingest.records import Dead, NotRecordedYet, Recorded, ScanNotFound
from services.ingest.store_scan import ScanStore

_WAIT_SECONDS = 0.3
"""How long a caller waits for what is on its way; the recorder is done with most scans sooner."""
_REMEMBERED = timedelta(days=36)
"""How long a scan's row in the deduplication stays at least, less a day for clocks that differ."""


class Lookup:
    """Looks scans up for operators and scanners."""

    def __init__(self, scans: ScanStore, bus: Bus) -> None:
        self._scans = scans
        self._bus = bus

    async def get(
        self, company_id: int, scan_id: str, *, own: UUID | None, oldest: datetime, now: datetime
    ) -> Recorded:
        """Answer a scan of the company.

        Args:
            company_id: the company.
            scan_id: the scan's id, in any case.
            own: the scanner that asks, which sees its own scans only; None for operators.
            oldest: the accept time of the oldest scan that the company's plan still shows.
            now: the time of the request.

        Raises:
            NotRecordedYet: it is not there, and it cannot be told yet that it is not on its way.
            ScanNotFound: there is none; it names the dead letter, if there is one.
            Unavailable: the database does not answer.
        """
        parsed = resource_id(scan_id.lower())
        if parsed is None:
            raise ScanNotFound(scan_id[:36])
        found, arrived = await self._find(company_id, parsed)
        if found is None:
            found = await self._scans.search(company_id, parsed, since=oldest, until=now - _REMEMBERED)
        if found is None and not arrived:
            raise NotRecordedYet(str(parsed))
        if isinstance(found, Recorded) and found.accept_time >= oldest and own in (None, found.scanner_id):
            return found
        raise ScanNotFound(str(parsed), _shown(found, own))

    async def _find(self, company_id: int, scan_id: UUID) -> tuple[Recorded | Dead | None, bool]:
        """Answer what has become of a scan, and whether that takes in everything that was accepted before the call."""
        found = await self._scans.find(company_id, scan_id)
        if isinstance(found, Recorded):
            return found, True
        arrived = await watermark.passed(self._bus, [SCANS, DEADLETTER], _WAIT_SECONDS)
        return await self._scans.find(company_id, scan_id), arrived  # a dead one may have been replayed


def _shown(found: Recorded | Dead | None, own: UUID | None) -> Dead | None:
    """Answer what has been found if it is a dead scan that the caller may know of."""
    return found if isinstance(found, Dead) and own in (None, found.scanner_id) else None
