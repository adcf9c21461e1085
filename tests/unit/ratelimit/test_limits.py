from __future__ import annotations

import dataclasses

import pytest
from scanmesh.auth.v1 import auth_pb2

from services.chassis.plans import UNKNOWN, OverQuota
from services.ratelimit.limits import BY_SCANNER_TYPE, Default, Enforcement, Name, Source, defaults

STARTER = dataclasses.replace(UNKNOWN, scan_quota=100_000, over_quota=OverQuota.REFUSE)
PROFESSIONAL = dataclasses.replace(UNKNOWN, scan_quota=1_000_000, over_quota=OverQuota.BILL)


@pytest.mark.parametrize(
    ("scanner_type", "expected"),
    [
        ("", Default(100)),
        ("handheld", Default(50, Source.SCANNER_TYPE)),
        ("vehicle", Default(50, Source.SCANNER_TYPE)),
        ("agent", Default(100, Source.SCANNER_TYPE)),
        ("dock", Default(200, Source.SCANNER_TYPE)),
        ("fixed", Default(500, Source.SCANNER_TYPE)),
    ],
)
def test_a_scanners_minute_is_that_of_its_type(scanner_type, expected):
    assert defaults(STARTER, scanner_type).by_name[Name.SCANNER_MINUTE] == expected


def test_every_type_of_the_contract_has_a_default():
    types = {name.removeprefix("SCANNER_TYPE_").lower() for name in auth_pb2.ScannerType.keys()}  # noqa: SIM118 - not a dictionary
    assert types - {"unspecified"} == set(BY_SCANNER_TYPE)


@pytest.mark.parametrize(
    ("plan", "quota", "enforcement"),
    [
        (STARTER, 100_000, Enforcement.REFUSE),
        (PROFESSIONAL, 1_000_000, Enforcement.COUNT),
        (UNKNOWN, None, Enforcement.COUNT),
        (dataclasses.replace(PROFESSIONAL, ended=True), 0, Enforcement.END),
    ],
)
def test_the_quota_is_the_plans_and_so_is_what_it_does(plan, quota, enforcement):
    known = defaults(plan, "")
    assert known.by_name[Name.COMPANY_MONTH] == Default(quota)
    assert known.enforcement == enforcement


def test_hour_and_day_exist_by_override_only():
    known = defaults(STARTER, "fixed").by_name
    assert known[Name.SCANNER_HOUR] == known[Name.COMPANY_DAY] == Default(None)
    assert known[Name.COMPANY_MINUTE] == Default(10_000)


def test_names_are_in_their_order():
    assert list(Name) == sorted(Name)
