from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.billing.v1 import billing_pb2, usage_pb2

from services.chassis.errors import InvalidArgument, PermissionDenied
from services.chassis.identity import Role
from tests.fakes import billing as made
from tests.fakes.auth import SettableClock
from tests.servers.rpc import failure

CELL = timedelta(seconds=10)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    """Show the last second of a month."""
    return SettableClock(DECEMBER - timedelta(seconds=1))


class Company:
    """What a company does and sees."""

    def __init__(self, replica, company_id):
        self.replica = replica
        self.company_id = company_id

    async def spend(self, quantity, **others):
        entry = made.entry(self.company_id, quantity=quantity, **others)
        await self.replica.ledger.append([entry], made.CELL)

    async def usage(self, period=""):
        request = billing_pb2.GetUsageRequest(company_id=self.company_id, period=period)
        return await self.replica.billing.GetUsage(request, **self.replica.as_(Role.VIEWER, self.company_id))

    async def preview(self):
        request = billing_pb2.PreviewInvoiceRequest(company_id=self.company_id)
        options = self.replica.as_(Role.VIEWER, self.company_id)
        return (await self.replica.billing.PreviewInvoice(request, **options)).invoice

    async def subscribe(self, plan):
        request = billing_pb2.UpdateSubscriptionRequest(
            company_id=self.company_id, subscription=billing_pb2.Subscription(plan=plan)
        )
        await self.replica.billing.UpdateSubscription(request, **self.replica.platform)


@pytest.fixture
def company(billing, company_id):
    return Company(billing, company_id)


async def test_usage_is_there_as_soon_as_the_ledger_has_it(company):
    answer = await company.usage()
    assert answer.period == "2026-11"
    (scans,) = answer.usage
    assert (scans.meter, scans.quantity, scans.included, scans.overage) == ("scans", 0, 100_000, 0)
    await company.spend(100_003)
    (scans,) = (await company.usage()).usage
    assert (scans.quantity, scans.overage) == (100_003, 3)


async def test_a_plan_without_a_quota_includes_everything(company):
    await company.subscribe("enterprise")
    await company.spend(5)
    (scans,) = (await company.usage()).usage
    assert not scans.HasField("included")
    assert (scans.quantity, scans.overage) == (5, 0)


async def test_the_month_is_that_of_the_accept_time(company, clock):
    await company.spend(1, cell_time=DECEMBER - CELL)
    await company.spend(2, cell_time=DECEMBER)
    assert (await company.usage()).usage[0].quantity == 1
    assert (await company.preview()).lines[1].quantity == 1
    clock.advance(timedelta(seconds=1))
    answer = await company.usage()
    assert (answer.period, answer.usage[0].quantity) == ("2026-12", 2)
    assert (await company.preview()).lines[1].quantity == 2
    assert (await company.usage("2026-11")).usage[0].quantity == 1
    assert (await company.usage("2026-10")).usage[0].quantity == 0


@pytest.mark.parametrize("period", ["2026", "2026-13", "2026-11-01", "now"])
async def test_a_period_that_is_none_is_refused(company, period):
    error = await failure(company.usage(period))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["period"]


async def test_a_preview_shows_what_the_month_costs_so_far(company):
    await company.subscribe("professional")
    await company.spend(1_000_001)
    invoice = await company.preview()
    assert (invoice.invoice_id, invoice.number, invoice.period) == ("", "", "2026-11")
    assert invoice.state == billing_pb2.INVOICE_STATE_PREVIEW
    shown = [(line.meter, line.quantity, line.amount.units, line.amount.nanos) for line in invoice.lines]
    assert shown == [("plan", 1, 499, 0), ("scans", 1_000_001, 0, 0), ("scans_overage", 1, 0, 500_000_000)]
    assert (invoice.subtotal.units, invoice.subtotal.nanos) == (499, 500_000_000)
    assert invoice.total == invoice.subtotal
    assert (invoice.tax.units, invoice.tax.nanos, invoice.tax.currency_code) == (0, 0, "USD")


async def test_what_was_let_through_over_a_refusing_plan_is_not_charged(company):
    await company.spend(100_001)
    invoice = await company.preview()
    assert [(line.meter, line.quantity) for line in invoice.lines][2:] == [("scans_overage", 1)]
    assert (invoice.lines[2].unit_price.units, invoice.total.units) == (0, 99)


async def test_usage_of_another_company_is_not_shown(billing, company_id):
    request = billing_pb2.GetUsageRequest(company_id=company_id + 1)
    call = billing.billing.GetUsage(request, **billing.as_(Role.ADMIN, company_id))
    assert isinstance(await failure(call), PermissionDenied)


async def test_the_limiter_learns_what_is_certain(billing, company, clock):
    await company.spend(7)
    request = usage_pb2.GetLedgerTotalRequest(company_id=company.company_id, period="2026-11")
    total = (await billing.usage.GetLedgerTotal(request)).total
    assert (total.company_id, total.period) == (company.company_id, "2026-11")
    # Nothing is certain beyond the watermark, which no ledger process moves here; as_of is the clock's.
    counted = total.watermark_time.ToDatetime(UTC) > made.CELL
    assert total.quantity == (7 if counted else 0)
    assert total.as_of_time.ToDatetime(UTC) == clock()


async def test_a_total_of_nothing_is_refused(billing):
    error = await failure(billing.usage.GetLedgerTotal(usage_pb2.GetLedgerTotalRequest(period="x")))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["company_id", "period"]
