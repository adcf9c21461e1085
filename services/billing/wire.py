"""Between billing's nouns and the contract's messages: money, enums, times."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from google.type import money_pb2
from scanmesh.billing.v1 import billing_pb2, usage_pb2

from services.billing.invoices import Invoice, Line, Usage
from services.billing.plans import Plan
from services.billing.prices import CURRENCY, MAX_DECIMALS
from services.billing.subscriptions import State, Subscription
from services.billing.totals import Total
from services.chassis.fields import Problems
from services.chassis.plans import OverQuota
from services.chassis.wire import duration, timestamp

STATES = {
    State.ACTIVE: billing_pb2.SUBSCRIPTION_STATE_ACTIVE,
    State.ENDED: billing_pb2.SUBSCRIPTION_STATE_ENDED,
}
_STATE_BY_NUMBER = {number: state for state, number in STATES.items()}
_OVER_QUOTA = {
    OverQuota.REFUSE: billing_pb2.OVER_QUOTA_REFUSE,
    OverQuota.BILL: billing_pb2.OVER_QUOTA_BILL,
    OverQuota.NONE: billing_pb2.OVER_QUOTA_NONE,
}


def money(value: Decimal) -> money_pb2.Money:
    """Write an amount exactly.

    Raises:
        ValueError: it has more than nine decimals, which no price has.
    """
    nanos = value.scaleb(MAX_DECIMALS)
    if nanos != int(nanos):
        raise ValueError(f"{value} cannot be written as money")
    units = int(value)  # towards zero, so that units and nanos have one sign
    below = int(nanos) - units * 10**MAX_DECIMALS
    return money_pb2.Money(currency_code=CURRENCY, units=units, nanos=below)


def plan(value: Plan) -> billing_pb2.Plan:
    """Write a plan."""
    return billing_pb2.Plan(
        plan=value.name,
        monthly_price=money(value.monthly_price),
        scan_quota=value.scan_quota,
        scanner_quota=value.scanner_quota,
        region_quota=value.region_quota,
        over_quota=_OVER_QUOTA[value.over_quota],
        overage_price=money(value.overage_price),
        overage_unit=value.overage_unit,
        lane=value.lane,
        retention=duration(value.retention),
    )


def subscription(value: Subscription) -> billing_pb2.Subscription:
    """Write a subscription."""
    return billing_pb2.Subscription(
        company_id=value.company_id,
        plan=value.plan,
        state=STATES[value.state],
        start_time=timestamp(value.start_time),
        pending_plan=value.pending_plan,
    )


def read_subscription(
    problems: Problems, given: billing_pb2.Subscription, names: Collection[str]
) -> dict[str, Any]:
    """Answer the named fields of a subscription, of those that may be changed; what cannot be read is noted."""
    values: dict[str, Any] = {}
    if "plan" in names:
        values["plan"] = given.plan
    if "state" in names:
        values["state"] = _STATE_BY_NUMBER.get(given.state)
        if values["state"] is None:
            problems.add("state", "is not a value of its enum")
    return values


def usage(value: Usage) -> billing_pb2.Usage:
    """Write the usage of one meter."""
    return billing_pb2.Usage(
        meter=value.meter, quantity=value.quantity, included=value.included, overage=value.overage
    )


def preview(value: Invoice, company_id: int, period: str) -> billing_pb2.Invoice:
    """Write an invoice that is stored nowhere."""
    return billing_pb2.Invoice(
        company_id=company_id,
        period=period,
        state=billing_pb2.INVOICE_STATE_PREVIEW,
        lines=map(_line, value.lines),
        subtotal=money(value.subtotal),
        tax=money(value.tax),
        total=money(value.total),
    )


def total(value: Total) -> usage_pb2.LedgerTotal:
    """Write a total."""
    return usage_pb2.LedgerTotal(
        company_id=value.company_id,
        period=value.period,
        quantity=value.quantity,
        watermark_time=timestamp(value.watermark_time),
        as_of_time=timestamp(value.as_of_time),
    )


def _line(value: Line) -> billing_pb2.InvoiceLine:
    return billing_pb2.InvoiceLine(
        description=value.description,
        meter=value.meter,
        quantity=value.quantity,
        unit_price=money(value.unit_price),
        amount=money(value.amount),
    )
