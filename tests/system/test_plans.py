"""Plans: what a company has subscribed to holds from the next call on, for limits, lanes, scanners, regions and price."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.system.actors import Answer, Company, Http, scan
from tests.system.inspector import record

pytestmark = pytest.mark.usefixtures("limits_in_force")

SCANNER_QUOTA = 100
"""Of the plan starter."""


def test_plans_are_shown_to_anyone(description) -> None:
    plans = Http(description["edge"]["http"]).get("/v1/plans").body["plans"]
    assert [plan["plan"] for plan in plans] == ["enterprise", "starter", "professional"]
    by_name = {plan["plan"]: plan for plan in plans}
    assert by_name["starter"]["scanQuota"] == "100000"
    assert by_name["professional"]["overQuota"] == "OVER_QUOTA_BILL"
    assert by_name["enterprise"].get("scanQuota") is None


def test_plan_changed_in_mid_month_holds_from_the_next_call_on(description, own_company: Company) -> None:
    device = own_company.scanner()
    first, second, third = scan(), scan(), scan()
    assert device.submit(first).status == 200
    changed = own_company.subscribe("professional").body["subscription"]
    assert (changed["plan"], changed["state"]) == ("professional", "SUBSCRIPTION_STATE_ACTIVE")
    assert device.submit(second).status == 200
    assert own_company.limits()["company.month"]["limit"] == "1000000"
    assert own_company.admin.http.get(f"{own_company.path}/subscription").body["subscription"] == changed
    assert own_company.subscribe("enterprise").status == 200
    assert device.submit(third).status == 200
    assert "company.month" not in own_company.limits()
    lanes = [record(description, each["scanId"]).lane for each in (first, second, third)]
    assert lanes == ["standard", "premium", "premium"]
    assert (own_company.usage(), _invoice(own_company)["total"]["units"]) == (3, "0")
    assert own_company.subscribe("starter").status == 200
    assert (own_company.usage(), _invoice(own_company)["total"]["units"]) == (3, "99")


def test_ended_subscription_refuses_scans_until_it_goes_on(own_company: Company) -> None:
    device = own_company.scanner()
    assert device.submit(scan()).status == 200
    assert own_company.subscribe("starter", state="SUBSCRIPTION_STATE_ENDED").status == 200
    refused = device.submit(scan())
    assert (refused.status, refused.reason) == (429, "QUOTA_EXCEEDED")
    assert refused.retry_delay
    assert own_company.subscribe("starter", state="SUBSCRIPTION_STATE_ACTIVE").status == 200
    assert device.submit(scan()).status == 200


def test_plan_that_is_none_is_a_violation(own_company: Company) -> None:
    answer = own_company.subscribe("platinum")
    assert (answer.status, answer.reason, answer.violated) == (400, "INVALID_ARGUMENT", {"subscription.plan"})
    assert own_company.admin.http.patch(f"{own_company.path}/subscription", {"plan": "starter"}).status == 403


def test_scanners_of_the_plan_and_not_one_more(own_company: Company) -> None:
    with ThreadPoolExecutor(4) as several:  # at once, so that two may be the last one
        answers = list(several.map(lambda _: _register(own_company), range(SCANNER_QUOTA + 2)))
    refused = [answer for answer in answers if answer.status != 200]
    assert [(answer.status, answer.reason, answer.retry_delay) for answer in refused] == [
        (400, "SCANNER_LIMIT_REACHED", None)
    ] * 2
    gone = answers[0] if answers[0].status == 200 else answers[-1]
    path = f"{own_company.path}/scanners/{gone.body['scanner']['scannerId']}"
    assert own_company.admin.http.delete(path).status == 200
    assert _register(own_company).status == 200
    assert _register(own_company).reason == "SCANNER_LIMIT_REACHED"
    assert own_company.subscribe("professional").status == 200
    assert _register(own_company).status == 200


def test_regions_of_the_plan_and_not_one_more(own_company: Company) -> None:
    assert _register(own_company).status == 200
    refused = _register(own_company, region="north")
    assert (refused.status, refused.reason, refused.retry_delay) == (400, "REGION_LIMIT_REACHED", None)
    assert own_company.subscribe("professional").status == 200
    assert _register(own_company, region="north").status == 200
    assert _register(own_company, region="south").reason == "REGION_LIMIT_REACHED"


def _register(company: Company, **fields: str) -> Answer:
    body = {"displayName": "Gun", "type": "SCANNER_TYPE_HANDHELD", **fields}
    return company.admin.http.post(f"{company.path}/scanners", body)


def _invoice(company: Company) -> dict[str, Any]:
    invoice: dict[str, Any] = company.admin.http.get(f"{company.path}/invoices:preview").body["invoice"]
    return invoice
