"""Limits: what fits of a batch is granted, the rest comes with a delay; overrides take effect on the next call."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.system.actors import Answer, Company, Device, Operator, scan
from tests.system.books import assert_balanced

pytestmark = pytest.mark.usefixtures("limits_in_force")

MINUTE = 60.0
HOUR = 3_600.0


def send(device: Device, number: int) -> Answer:
    return device.http.post("/v1/scans:batch", {"scans": [scan() for _ in range(number)]})


def test_batch_that_fits_in_part(description, own_company: Company) -> None:
    device = own_company.scanner()
    own_company.limit("scanner.minute", 5, device)
    scans = [scan() for _ in range(8)]
    answer = device.http.post("/v1/scans:batch", {"scans": [*scans[:3], scan(scanId="bad"), *scans[3:]]})
    assert (answer.status, answer.body["acceptedCount"]) == (200, "5")
    invalid, *limited = answer.body["rejections"]
    assert (invalid["index"], invalid["reason"]) == (3, "INVALID_ARGUMENT")
    assert [(each["index"], each["scanId"], each["reason"]) for each in limited] == [
        (index + 1, scans[index]["scanId"], "RATE_LIMITED") for index in (5, 6, 7)
    ]
    assert all(0 < float(each["retryDelay"].removesuffix("s")) <= MINUTE for each in limited)

    refused = send(device, 2)
    assert (refused.status, refused.reason) == (429, "RATE_LIMITED")
    assert refused.retry_delay
    assert 0 < refused.retry_delay <= MINUTE
    single = device.submit(scan())
    assert (single.status, single.reason) == (429, "RATE_LIMITED")
    assert single.retry_delay
    legacy = device.http.post("/api/scan", {"productId": "A"})
    assert (legacy.status, legacy.body["success"], legacy.body["error"]) == (429, False, "RATE_LIMITED")
    assert "retry-after" in legacy.headers
    assert_balanced(description, own_company, [each["scanId"] for each in scans[:5]])


def test_other_scanners_and_refused_scans_cost_nothing(own_company: Company) -> None:
    limited, other = own_company.scanner(), own_company.scanner()
    own_company.limit("scanner.minute", 1, limited)
    assert limited.submit(scan()).status == 200
    before = own_company.limits()["company.minute"]["remaining"]
    assert {limited.submit(scan()).status for _ in range(5)} == {429}
    assert int(own_company.limits()["company.minute"]["remaining"]) >= int(before)
    assert other.submit(scan()).status == 200


def test_override_is_effective_on_the_next_call(own_company: Company) -> None:
    device = own_company.scanner()
    assert device.submit(scan()).status == 200
    own_company.limit("scanner.minute", 0, device)
    assert device.submit(scan()).status == 429
    own_company.limit("scanner.minute", 1_000, device)
    assert send(device, 100).body["acceptedCount"] == "100"
    own_company.limit("scanner.minute", 0)  # the company's: the scanner's own still counts
    assert device.submit(scan()).status == 200
    own_company.limit("scanner.minute", None, device)
    assert device.submit(scan()).status == 429
    own_company.limit("scanner.minute", None)
    assert own_company.limits(device)["scanner.minute"]["limit"] == "50"
    own_company.limit("company.day", 0)
    assert device.submit(scan()).status == 429


@pytest.mark.parametrize(
    ("kind", "limit"), [("HANDHELD", 50), ("VEHICLE", 50), ("AGENT", 100), ("DOCK", 200), ("FIXED", 500)]
)
def test_scanner_has_the_limit_of_its_type(own_company: Company, kind: str, limit: int) -> None:
    device = own_company.scanner(type=f"SCANNER_TYPE_{kind}")
    shown = own_company.limits(device)["scanner.minute"]
    assert (shown["limit"], shown["remaining"], shown["source"]) == (str(limit), str(limit), "scanner_type")
    answer = send(device, min(limit + 5, 1_000))
    # What comes back while it is asked is more than nothing where the bucket is large.
    assert limit <= int(answer.body["acceptedCount"]) <= limit + limit // 50


def test_source_says_where_a_limit_comes_from(own_company: Company) -> None:
    device = own_company.scanner()
    shown = own_company.limits()
    assert [shown[name]["source"] for name in ("company.minute", "company.month")] == ["plan", "plan"]
    assert [shown[name]["limit"] for name in ("company.minute", "company.month")] == ["10000", "100000"]
    assert own_company.limits(device)["scanner.minute"]["source"] == "scanner_type"
    set_ = own_company.limit("scanner.minute", 70)
    assert (set_["name"], set_["limit"], set_["source"]) == ("scanner.minute", "70", "company")
    assert own_company.limits(device)["scanner.minute"]["source"] == "company"
    own_company.limit("scanner.minute", 71, device)
    assert own_company.limits(device)["scanner.minute"]["source"] == "scanner"
    left = own_company.limit("scanner.minute", None, device)
    assert (left["limit"], left["source"]) == ("70", "company")


def test_last_scan_of_the_quota_passes_and_the_next_does_not(
    description, own_company: Company, platform: Operator
) -> None:
    device = own_company.scanner()
    own_company.limit("company.month", 3)
    accepted = [scan() for _ in range(3)]
    assert [device.submit(each).status for each in accepted] == [200, 200, 200]
    refused = device.submit(scan())
    assert (refused.status, refused.reason) == (429, "QUOTA_EXCEEDED")
    assert refused.retry_delay
    assert 0 < refused.retry_delay <= HOUR
    assert refused.detail("QuotaFailure") is not None
    month = own_company.limits()["company.month"]
    assert (month["limit"], month["remaining"], month["source"]) == ("3", "0", "company")
    assert datetime.fromisoformat(month["resetTime"]) > datetime.now(UTC)
    other = Company(own_company.base, platform)
    assert other.scanner().submit(scan()).status == 200
    own_company.limit("company.month", 4)
    accepted.append(scan())
    assert device.submit(accepted[-1]).status == 200
    assert_balanced(description, own_company, [each["scanId"] for each in accepted])


def test_batch_over_the_quota_is_accepted_in_part(own_company: Company) -> None:
    device = own_company.scanner()
    own_company.limit("company.month", 2)
    answer = send(device, 3)
    assert (answer.status, answer.body["acceptedCount"]) == (200, "2")
    [rejection] = answer.body["rejections"]
    assert (rejection["index"], rejection["reason"]) == (2, "QUOTA_EXCEEDED")
    assert rejection["retryDelay"]


def test_only_the_platform_admin_sets_limits(own_company: Company) -> None:
    for answer in (
        own_company.admin.http.put(f"{own_company.path}/limits/scanner.minute", {"value": 9}),
        own_company.admin.http.delete(f"{own_company.path}/limits/scanner.minute"),
    ):
        assert (answer.status, answer.reason) == (403, "PERMISSION_DENIED")


def test_every_fault_of_an_override_is_named(own_company: Company) -> None:
    device = own_company.scanner()
    scanner = f"{own_company.path}/scanners/{device.scanner_id}/limits"
    put = own_company.platform.http.put
    for path, body, violated in (
        (f"{own_company.path}/limits/scanner.second", {"value": -1}, {"name", "value"}),
        (f"{own_company.path}/limits/scanner.minute", {}, {"value"}),
        (f"{scanner}/company.minute", {"value": 1}, {"name"}),
    ):
        answer = put(path, body)
        assert (answer.status, answer.reason, answer.violated) == (400, "INVALID_ARGUMENT", violated), path
