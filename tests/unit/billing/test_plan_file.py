from __future__ import annotations

import copy
from datetime import timedelta
from decimal import Decimal

import pytest
import yaml

from services.billing import plan_file
from services.billing.plan_file import PlansInvalid
from services.chassis.plans import OverQuota
from services.chassis.subjects import Lane

DOCUMENT = yaml.safe_load(plan_file.PATH.read_text())


def problems(document):
    with pytest.raises(PlansInvalid) as refused:
        plan_file.parse(document)
    return str(refused.value).splitlines()


def changed(plan, **terms):
    document = copy.deepcopy(DOCUMENT)
    document["plans"][plan].update(terms)
    return document


def test_the_plans_are_those_of_the_contract():
    catalogue = plan_file.load()
    assert catalogue.default == "starter"
    shown = {
        plan.name: (
            plan.scanner_quota,
            plan.scan_quota,
            plan.region_quota,
            plan.monthly_price,
            plan.over_quota,
            plan.overage_price,
            plan.overage_unit,
            plan.lane,
            plan.retention,
        )
        for plan in catalogue.plans.values()
    }
    days, refuse, bill, none = timedelta(days=1), OverQuota.REFUSE, OverQuota.BILL, OverQuota.NONE
    assert shown == {
        "starter": (100, 100_000, 1, Decimal(99), refuse, 0, 0, Lane.STANDARD, 90 * days),
        "professional": (
            *(1_000, 1_000_000, 2, Decimal(499), bill, Decimal("0.50"), 1_000),
            *(Lane.PREMIUM, 90 * days),
        ),
        "enterprise": (None, None, None, 0, none, 0, 0, Lane.PREMIUM, 400 * days),
    }


def test_plans_are_listed_cheapest_first():
    names = [plan.name for plan in plan_file.load().cheapest_first()]
    assert names == ["enterprise", "starter", "professional"]


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"monthly_price": 99.5}, "plans.professional.monthly_price: must be a text"),
        ({"monthly_price": "-1"}, "plans.professional.monthly_price: must be a text"),
        ({"monthly_price": "NaN"}, "plans.professional.monthly_price: must be a text"),
        ({"overage_price": "0.0000000001"}, "plans.professional.overage_price: must be a text"),
        ({"overage_unit": 0}, "plans.professional.overage_unit: must be a whole number"),
        ({"scan_quota": True}, "plans.professional.scan_quota: must be a whole number"),
        ({"scan_quota": 1.5}, "plans.professional.scan_quota: must be a whole number"),
        ({"lane": "bulk"}, "plans.professional.lane: must be one of premium, standard"),
        ({"retention_days": 401}, "plans.professional.retention_days: must be at most 400"),
        ({"colour": "red"}, "plans.professional.colour: says nothing here"),
        ({"over_quota": "refuse"}, "plans.professional.overage_price: says nothing here"),
        ({"over_quota": "sometimes"}, "plans.professional.over_quota: must be one of"),
    ],
)
def test_a_term_that_cannot_hold_is_told(terms, problem):
    assert any(line.startswith(problem) for line in problems(changed("professional", **terms)))


def test_everything_that_is_wrong_is_told_at_once():
    document = changed("starter", lane="fast", retention_days="90")
    del document["plans"]["enterprise"]["over_quota"]
    document["currency"], document["default"] = "EUR", "gold"
    document["plans"]["Not Snake"] = None
    told = problems(document)
    for name in (
        "currency",
        "default",
        "plans.starter.lane",
        "plans.starter.retention_days",
        "plans.enterprise.over_quota",
        "plans.Not Snake",
    ):
        assert any(line.startswith(f"{name}: ") for line in told), name


@pytest.mark.parametrize("document", [None, [], "plans"])
def test_a_file_that_is_no_mapping_is_refused(document):
    assert "the file: must be a mapping" in problems(document)


def test_a_file_that_is_no_yaml_is_refused(tmp_path):
    path = tmp_path / "plans.yaml"
    path.write_text("plans: [")
    with pytest.raises(PlansInvalid, match="not YAML"):
        plan_file.load(path)
