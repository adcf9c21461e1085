from __future__ import annotations

import pytest

from services.auth.scanners import Quota, RegionLimitReached, ScannerLimitReached
from services.chassis.errors import FailedPrecondition


def refusal(quota: Quota, region: str, held: dict[str, int]) -> type[FailedPrecondition] | None:
    try:
        quota.check_one_more(region, held)
    except FailedPrecondition as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("quota", "region", "held", "expected"),
    [
        (Quota(), "eu", {"us": 10**6}, None),
        (Quota(scanners=3), "eu", {"eu": 1, "us": 1}, None),
        (Quota(scanners=3), "eu", {"eu": 2, "us": 1}, ScannerLimitReached),
        (Quota(scanners=0), "eu", {}, ScannerLimitReached),
        (Quota(regions=2), "eu", {}, None),
        (Quota(regions=2), "eu", {"us": 5}, None),
        (Quota(regions=2), "eu", {"us": 5, "eu": 5}, None),
        (Quota(regions=2), "eu", {"us": 5, "asia": 5}, RegionLimitReached),
        (Quota(regions=1), "eu", {"eu": 5, "asia": 5}, None),
        (Quota(scanners=1, regions=1), "eu", {"us": 1}, ScannerLimitReached),
    ],
)
def test_one_more_scanner_must_fit_into_the_plan(
    quota: Quota, region: str, held: dict[str, int], expected: type[FailedPrecondition] | None
) -> None:
    assert refusal(quota, region, held) is expected
