"""Ingest spends once per request, and is told what refused and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scanmesh.ratelimit.v1 import limit_pb2

from services.chassis.errors import InvalidArgument, Unavailable
from services.ingest.ratelimit import FIRST_TRY_SECONDS
from services.ratelimit.quota import Base, period_of
from tests.fakes.limits import SCANNER
from tests.servers.polling import eventually
from tests.servers.rpc import failure


async def test_as_many_as_fit_are_granted_and_the_limit_says_when_the_rest_will(
    ratelimit, company_id, scanner_id, clock
):
    answer = await ratelimit.spend(company_id, scanner_id, 60, scanner_type="handheld")
    assert answer.granted == 50
    assert answer.accept_time.ToDatetime(UTC) == clock()
    company, scanner = answer.limits
    assert (company.name, company.remaining, company.HasField("retry_delay")) == (
        "company.minute",
        9_950,
        False,
    )
    assert (scanner.name, scanner.limit, scanner.remaining) == ("scanner.minute", 50, 0)
    assert scanner.retry_delay.ToTimedelta() == timedelta(seconds=12)


async def test_all_or_nothing_is_nothing_if_not_all(ratelimit, company_id, scanner_id):
    assert (await ratelimit.spend(company_id, scanner_id, 101, partial=False)).granted == 0
    assert (await ratelimit.spend(company_id, scanner_id, 100, partial=False)).granted == 100


async def test_a_retry_at_another_replica_is_charged_once(start, company_id, scanner_id):
    one, other = await start(), await start()
    first = await one.spend(company_id, scanner_id, 60, spend_id="s-1")
    assert await other.spend(company_id, scanner_id, 60, spend_id="s-1") == first
    assert (await other.spend(company_id, scanner_id, 60)).granted == 40


async def test_a_refund_is_there_to_be_spent_and_counts_once(start, company_id, scanner_id):
    one, other = await start(), await start()
    await one.spend(company_id, scanner_id, 100, spend_id="s-1")
    for replica in (other, one):
        await replica.refund(company_id, "s-1", 30)
    assert (await one.spend(company_id, scanner_id, 100)).granted == 30


NOON = datetime(2026, 11, 12, 12, tzinfo=UTC)


@pytest.fixture
def ledger(site, clock, company_id, scanner_id):
    """Tell the ledger, at noon, what it holds of the company."""
    clock.advance(NOON - clock())

    def tell(total):
        watermark = clock() - timedelta(seconds=20)
        site.ledger.bases[company_id] = Base(company_id, period_of(NOON), total, watermark, clock())

    return tell


@pytest.mark.parametrize(("in_ledger", "delay"), [(0, timedelta(seconds=30)), (10, timedelta(hours=1))])
async def test_the_quota_says_whether_waiting_a_little_helps(ratelimit, company_id, ledger, in_ledger, delay):
    ledger(in_ledger)
    request = limit_pb2.SetLimitOverrideRequest(company_id=company_id, name="company.month", value=10)
    await ratelimit.limits.SetLimitOverride(request, **ratelimit.platform)
    await ratelimit.spend(company_id, SCANNER, 10)
    refused = await ratelimit.spend(company_id, SCANNER)
    (month,) = [limit for limit in refused.limits if limit.name == "company.month"]
    assert (refused.granted, month.remaining) == (0, 0)
    assert month.retry_delay.ToTimedelta() == delay


async def test_what_duplicates_took_of_an_idle_companys_quota_is_back_within_ingests_first_try(
    ratelimit, company_id, ledger, clock
):
    ledger(0)
    request = limit_pb2.SetLimitOverrideRequest(company_id=company_id, name="company.month", value=5)
    await ratelimit.limits.SetLimitOverride(request, **ratelimit.platform)
    for cost in (3, 2):  # two of the three, again
        assert (await ratelimit.spend(company_id, SCANNER, cost)).granted == cost
    assert (await ratelimit.spend(company_id, SCANNER)).granted == 0
    clock.advance(timedelta(seconds=40))
    ledger(3)

    async def granted():
        answer = await ratelimit.spend(company_id, SCANNER, timeout=FIRST_TRY_SECONDS)
        return answer.granted == 1

    await eventually(granted, "the ledger to be asked")


async def test_all_that_is_wrong_with_a_spend_is_told_at_once(ratelimit):
    call = ratelimit.spend(0, "x", 1_001, spend_id="s" * 65, scanner_type="toaster")
    error = await failure(call)
    assert isinstance(error, InvalidArgument)
    fields = [violation.field for violation in error.violations]
    assert fields == ["spend_id", "company_id", "scanner_id", "cost", "scanner_type"]


async def test_all_that_is_wrong_with_a_refund_is_told_at_once(ratelimit):
    error = await failure(ratelimit.refund(0, "", 0))
    assert [violation.field for violation in error.violations] == ["spend_id", "company_id", "count"]


async def test_without_valkey_the_answer_is_typed(ratelimit, company_id, scanner_id, valkey):
    valkey.stop()
    try:
        error = await failure(ratelimit.spend(company_id, scanner_id))
    finally:
        valkey.start()
    assert isinstance(error, Unavailable)
    assert error.retry_delay is not None
