"""BillingService: the RPCs about plans, subscriptions, usage and invoices."""

from __future__ import annotations

from typing import Any

from scanmesh.billing.v1 import billing_pb2, billing_pb2_grpc

from services.billing import invoices, wire
from services.billing.periods import is_period, period_of
from services.billing.plans import Catalogue
from services.billing.store_usage import UsageStore
from services.billing.subscribers import Subscribers
from services.billing.subscriptions import MUTABLE
from services.chassis import identity, masks
from services.chassis.clock import Clock
from services.chassis.fields import Problems
from services.chassis.wire import timestamp


class BillingServicer(billing_pb2_grpc.BillingServiceServicer):
    """Shows what the ledger holds and what it costs; the only thing it changes is a subscription."""

    def __init__(
        self, catalogue: Catalogue, subscribers: Subscribers, usage: UsageStore, *, clock: Clock
    ) -> None:
        self._catalogue = catalogue
        self._subscribers = subscribers
        self._usage = usage
        self._clock = clock

    async def ListPlans(
        self, request: billing_pb2.ListPlansRequest, context: Any
    ) -> billing_pb2.ListPlansResponse:
        return billing_pb2.ListPlansResponse(plans=map(wire.plan, self._catalogue.cheapest_first()))

    async def GetSubscription(
        self, request: billing_pb2.GetSubscriptionRequest, context: Any
    ) -> billing_pb2.GetSubscriptionResponse:
        subscription = await self._subscribers.of(identity.caller().company_id)
        return billing_pb2.GetSubscriptionResponse(subscription=wire.subscription(subscription))

    async def UpdateSubscription(
        self, request: billing_pb2.UpdateSubscriptionRequest, context: Any
    ) -> billing_pb2.UpdateSubscriptionResponse:
        company_id = identity.caller().company_id
        values = self._parse_update(request)
        subscription = await self._subscribers.update(company_id, values, self._clock())
        return billing_pb2.UpdateSubscriptionResponse(subscription=wire.subscription(subscription))

    async def GetUsage(
        self, request: billing_pb2.GetUsageRequest, context: Any
    ) -> billing_pb2.GetUsageResponse:
        company_id = identity.caller().company_id
        period = self._parse_period(request.period)
        plan = self._catalogue.plans[(await self._subscribers.of(company_id)).plan]
        counted = await self._usage.counted(company_id, period)
        return billing_pb2.GetUsageResponse(
            period=period,
            as_of_time=timestamp(counted.as_of_time),
            usage=map(wire.usage, invoices.usage(plan, counted.quantities)),
        )

    async def PreviewInvoice(
        self, request: billing_pb2.PreviewInvoiceRequest, context: Any
    ) -> billing_pb2.PreviewInvoiceResponse:
        company_id = identity.caller().company_id
        period = period_of(self._clock())
        plan = self._catalogue.plans[(await self._subscribers.of(company_id)).plan]
        counted = await self._usage.counted(company_id, period)
        invoice = invoices.rate(plan, counted.quantities)
        return billing_pb2.PreviewInvoiceResponse(invoice=wire.preview(invoice, company_id, period))

    def _parse_update(self, request: billing_pb2.UpdateSubscriptionRequest) -> dict[str, Any]:
        problems = Problems()
        names = masks.fields(problems, request.update_mask, request.subscription, MUTABLE)
        values = wire.read_subscription(problems.within("subscription"), request.subscription, names)
        if values.get("plan", self._catalogue.default) not in self._catalogue.plans:
            problems.within("subscription").add("plan", "is not a plan on offer")
        problems.raise_any()
        return values

    def _parse_period(self, text: str) -> str:
        problems = Problems()
        if text and not is_period(text):
            problems.add("period", "must be a month, such as 2026-11")
        problems.raise_any()
        return text or period_of(self._clock())
