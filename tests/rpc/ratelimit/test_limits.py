"""Operators see their limits; the platform sets exceptions, which count from the next call on at every replica."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.ratelimit.v1 import limit_pb2

from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied
from services.chassis.identity import Role
from services.ratelimit.quota import Base, period_of
from tests.servers.rpc import failure

UNKNOWN_SCANNER = "0192d3b0-7b1e-7cc3-9a55-00000000dead"


async def shown(replica, company_id, scanner_id=""):
    request = limit_pb2.GetLimitsRequest(company_id=company_id, scanner_id=scanner_id)
    answer = await replica.limits.GetLimits(request, **replica.as_(Role.VIEWER, company_id))
    return {limit.name: (limit.limit, limit.source, limit.remaining) for limit in answer.limits}


def set_request(company_id, name, value, scanner_id=""):
    return limit_pb2.SetLimitOverrideRequest(
        company_id=company_id, scanner_id=scanner_id, name=name, value=value
    )


async def override(replica, company_id, name, value, scanner_id=""):
    request = set_request(company_id, name, value, scanner_id)
    return (await replica.limits.SetLimitOverride(request, **replica.platform)).limit


async def take_back(replica, company_id, name, scanner_id=""):
    request = limit_pb2.DeleteLimitOverrideRequest(company_id=company_id, scanner_id=scanner_id, name=name)
    return await replica.limits.DeleteLimitOverride(request, **replica.platform)


async def test_a_company_sees_its_own_and_a_scanner_both(ratelimit, company_id, scanner_id):
    assert await shown(ratelimit, company_id) == {"company.minute": (10_000, "plan", 10_000)}
    await ratelimit.spend(company_id, scanner_id, 5, scanner_type="dock")
    assert await shown(ratelimit, company_id, scanner_id) == {
        "company.minute": (10_000, "plan", 9_995),
        "scanner.minute": (200, "scanner_type", 195),
    }


async def test_the_first_that_exists_counts(ratelimit, company_id, scanner_id):
    async def in_force():
        return (await shown(ratelimit, company_id, scanner_id))["scanner.minute"][:2]

    assert await in_force() == (200, "scanner_type")
    await override(ratelimit, company_id, "scanner.minute", 7)
    assert await in_force() == (7, "company")
    await override(ratelimit, company_id, "scanner.minute", 9, scanner_id)
    assert await in_force() == (9, "scanner")
    await take_back(ratelimit, company_id, "scanner.minute")
    assert await in_force() == (9, "scanner")
    answer = await take_back(ratelimit, company_id, "scanner.minute", scanner_id)
    assert (answer.limit.limit, answer.limit.source) == (200, "scanner_type")


async def test_an_override_counts_on_the_next_call_at_every_replica(start, company_id, scanner_id):
    one, other = await start(), await start()
    assert (await other.spend(company_id, scanner_id, 3)).granted == 3
    limit = await override(one, company_id, "scanner.hour", 2, scanner_id)
    assert (limit.limit, limit.source, limit.remaining) == (2, "scanner", 2)
    assert (await other.spend(company_id, scanner_id, 3)).granted == 2
    await take_back(one, company_id, "scanner.hour", scanner_id)
    assert (await other.spend(company_id, scanner_id, 3)).granted == 3


async def test_a_limit_without_a_value_is_gone_once_taken_back(ratelimit, company_id, scanner_id):
    limit = await override(ratelimit, company_id, "company.day", 0)
    assert (limit.name, limit.limit, limit.remaining) == ("company.day", 0, 0)
    assert not (await take_back(ratelimit, company_id, "company.day")).HasField("limit")
    error = await failure(
        ratelimit.limits.DeleteLimitOverride(
            limit_pb2.DeleteLimitOverrideRequest(company_id=company_id, name="company.day"),
            **ratelimit.platform,
        )
    )
    assert isinstance(error, NotFound)


async def test_the_quota_is_shown_until_the_month_ends(site, ratelimit, clock, company_id, scanner_id):
    now = datetime.now(UTC)
    site.ledger.bases[company_id] = Base(company_id, period_of(now), 30, now - timedelta(seconds=30), now)
    limit = await override(ratelimit, company_id, "company.month", 100)
    assert (limit.limit, limit.source, limit.remaining) == (100, "company", 70)
    assert period_of(limit.reset_time.ToDatetime(UTC) - timedelta(microseconds=1)) == period_of(now)
    assert limit.reset_time.ToDatetime(UTC).day == 1


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"name": "scanner.year", "value": 1}, ["name"]),
        ({"name": "company.minute", "value": 1, "scanner_id": UNKNOWN_SCANNER}, ["name"]),
        ({"name": "scanner.minute", "value": -1}, ["value"]),
        ({"name": "scanner.minute"}, ["value"]),
        ({"name": "", "value": 10**13}, ["value", "name"]),
    ],
)
async def test_all_that_is_wrong_is_told_at_once(ratelimit, company_id, wrong, fields):
    request = limit_pb2.SetLimitOverrideRequest(company_id=company_id, **wrong)
    error = await failure(ratelimit.limits.SetLimitOverride(request, **ratelimit.platform))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == fields


@pytest.mark.parametrize("wanted", [UNKNOWN_SCANNER, "not-an-id", "00000000-0000-0000-0000-000000000000"])
async def test_a_scanner_that_is_none_of_the_companys_is_not_found(ratelimit, company_id, scanner_id, wanted):
    request = set_request(company_id, "scanner.minute", 1, wanted)
    error = await failure(ratelimit.limits.SetLimitOverride(request, **ratelimit.platform))
    assert isinstance(error, NotFound)


async def test_a_company_that_does_not_exist_is_not_found(ratelimit, company_id):
    request = limit_pb2.GetLimitsRequest(company_id=company_id)
    error = await failure(ratelimit.limits.GetLimits(request, **ratelimit.platform))
    assert isinstance(error, NotFound)


async def test_another_companys_limits_are_nobodys_business(ratelimit, company_id, scanner_id):
    request = limit_pb2.GetLimitsRequest(company_id=company_id)
    error = await failure(
        ratelimit.limits.GetLimits(request, **ratelimit.as_(Role.ADMIN, company_id + 100_000))
    )
    assert isinstance(error, PermissionDenied)


async def test_an_override_that_valkey_did_not_take_is_not_answered_and_can_be_repeated(
    ratelimit, company_id, scanner_id, valkey
):
    await ratelimit.spend(company_id, scanner_id)
    valkey.stop()
    try:
        request = set_request(company_id, "company.day", 4)
        error = await failure(ratelimit.limits.SetLimitOverride(request, **ratelimit.platform))
        assert error.reason == "DEPENDENCY_UNAVAILABLE"
    finally:
        valkey.start()
    assert (await override(ratelimit, company_id, "company.day", 4)).remaining == 4
