from __future__ import annotations

from datetime import timedelta

from scanmesh.billing.v1 import billing_pb2


async def test_anyone_sees_the_plans_cheapest_first(billing):
    listed = await billing.billing.ListPlans(billing_pb2.ListPlansRequest())
    assert [plan.plan for plan in listed.plans] == ["enterprise", "starter", "professional"]
    professional = listed.plans[2]
    assert (professional.monthly_price.units, professional.monthly_price.currency_code) == (499, "USD")
    assert (professional.overage_price.units, professional.overage_price.nanos) == (0, 500_000_000)
    assert (professional.overage_unit, professional.scan_quota) == (1_000, 1_000_000)
    assert professional.over_quota == billing_pb2.OVER_QUOTA_BILL
    assert professional.retention.ToTimedelta() == timedelta(days=90)
    assert not listed.plans[0].HasField("scan_quota")
