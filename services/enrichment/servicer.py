"""The gRPC edge of enrichment: what was made of a scan, and what a barcode at hand stands for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from scanmesh.enrichment.v1 import enrichment_pb2, enrichment_pb2_grpc

from services.chassis import barcode, identity, watermark
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import InvalidArgument, NotFound, Reason, Violation
from services.chassis.fields import resource_id
from services.chassis.identity import Caller, Role
from services.chassis.plans import Plans
from services.chassis.subjects import RECORDED, SCANS
from services.enrichment import events
from services.enrichment.product import render as product
from services.enrichment.results import Result, State
from services.enrichment.scans import Scans
from services.enrichment.store_result import ResultStore

_WATERMARK_SECONDS = 0.3
"""How long a caller waits for a scan that may be on its way: longer than the way usually takes."""
_RETRY = timedelta(seconds=1)


class EnrichmentNotFound(NotFound):
    """The company has no such scan, or none that the caller may see."""

    def __init__(self, scan_id: UUID | str, *, dead_letter_id: str = "") -> None:
        metadata = {"dead_letter_id": dead_letter_id} if dead_letter_id else None
        super().__init__(f"there is no enrichment of the scan {scan_id}", metadata=metadata)


class NotEnrichedYet(NotFound):
    """The scan may be on its way."""

    reason = Reason.NOT_RECORDED_YET
    default_retry_delay = _RETRY

    def __init__(self, scan_id: UUID) -> None:
        super().__init__(f"the scan {scan_id} may not be enriched yet; ask again")


class EnrichmentServicer(enrichment_pb2_grpc.EnrichmentServiceServicer):
    """Shows results to the operators of a company, and to a scanner those of its own scans."""

    def __init__(self, store: ResultStore, scans: Scans, bus: Bus, plans: Plans, clock: Clock) -> None:
        self._store = store
        self._scans = scans
        self._bus = bus
        self._plans = plans
        self._clock = clock

    async def GetEnrichment(
        self, request: enrichment_pb2.GetEnrichmentRequest, context: Any
    ) -> enrichment_pb2.GetEnrichmentResponse:
        caller, scan_id = identity.caller(), _scan_id(request.scan_id)
        result = await self._look(caller, scan_id) or await self._look_later(caller, scan_id)
        if result.state is State.FAILED:
            raise EnrichmentNotFound(scan_id, dead_letter_id=result.letter_id)
        return enrichment_pb2.GetEnrichmentResponse(enrichment=events.rendered(result))

    async def ParseBarcode(
        self, request: enrichment_pb2.ParseBarcodeRequest, context: Any
    ) -> enrichment_pb2.ParseBarcodeResponse:
        found = [Violation(field, description) for field, description in barcode.violations(request.barcode)]
        if found:
            message = "; ".join(f"{violation.field}: {violation.description}" for violation in found)
            raise InvalidArgument(message, violations=found)
        return enrichment_pb2.ParseBarcodeResponse(product=product.product(request.barcode))

    async def _look(self, caller: Caller, scan_id: UUID) -> Result | None:
        result = await self._store.find(caller.company_id, scan_id)
        return result if result is not None and self._shown(caller, result) else None

    async def _look_later(self, caller: Caller, scan_id: UUID) -> Result:
        """Look again when everything that was on its way has arrived: an answer *not found* is for good."""
        arrived = await watermark.passed(self._bus, [SCANS, RECORDED], _WATERMARK_SECONDS)
        result = await self._look(caller, scan_id)
        if result is not None:
            return result
        if not arrived:
            raise NotEnrichedYet(scan_id)
        letter = await self._scans.dead_letter_id(caller.company_id, scan_id)
        raise EnrichmentNotFound(scan_id, dead_letter_id=letter)

    def _shown(self, caller: Caller, result: Result) -> bool:
        """Say whether a result exists for a caller: not another scanner's, and not beyond the plan's retention."""
        who = caller.identity
        foreign = who.role is Role.SCANNER and str(result.scanner_id) != who.subject
        return (
            not foreign and result.accept_time > self._clock() - self._plans.of(result.company_id).retention
        )


def _scan_id(text: str) -> UUID:
    scan_id = resource_id(text.lower())
    if scan_id is None:
        raise EnrichmentNotFound(text[:36])
    return scan_id
