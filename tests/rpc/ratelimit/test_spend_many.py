"""Spends of several scanners and companies in one call: each is decided, refused or fails as if it were alone."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from scanmesh.ratelimit.v1 import limit_pb2

from services.chassis import ids
from services.chassis.errors import Internal, InvalidArgument, Unavailable
from services.ratelimit.spending import Spending
from tests.fakes.limits import SCANNER
from tests.rpc.ratelimit.replica import wish
from tests.servers.rpc import failure

SPENDS = 128


@pytest.fixture
async def known(ratelimit, new_company):
    """Make companies whose overrides are in Valkey."""

    async def made(count):
        companies = [new_company() for _ in range(count)]
        for company_id in companies:
            await ratelimit.spend(company_id, SCANNER)
        return companies

    return made


async def test_each_spend_has_its_own_outcome_in_the_order_of_the_request(ratelimit, known):
    companies = await known(3)
    wishes = [
        wish(company_id, str(ids.uuid7()), cost, scanner_type="handheld")
        for company_id, cost in zip(companies, (60, 7, 50), strict=True)
    ]
    answers = await ratelimit.spend_many(*wishes)
    assert [answer.granted for answer in answers] == [50, 7, 50]
    refused = [[limit.name for limit in answer.limits if limit.HasField("retry_delay")] for answer in answers]
    assert refused == [["scanner.minute"], [], []]
    left = [[limit.remaining for limit in answer.limits] for answer in answers]
    assert left == [[9_949, 0], [9_992, 43], [9_949, 0]]


async def test_spends_of_one_company_share_its_limits(ratelimit, known):
    [company_id] = await known(1)
    answers = await ratelimit.spend_many(
        *(wish(company_id, str(ids.uuid7()), 1_000, scanner_type="fixed") for _ in range(30))
    )
    assert sum(answer.granted for answer in answers) == 9_999
    assert [answer.granted for answer in answers[:20]] == [500] * 19 + [499]


async def test_a_retry_in_company_or_alone_at_another_replica_is_charged_once(start, known):
    one, other = await start(), await start()
    wishes = [wish(company_id, SCANNER, 60, spend_id="s-1") for company_id in await known(2)]
    first = await one.spend_many(*wishes)
    assert [answer.granted for answer in first] == [60, 60]
    assert await other.spend_many(*reversed(wishes)) == first[::-1]
    for each, answer in zip(wishes, first, strict=True):
        again = await other.spend(each.company_id, SCANNER, 60, spend_id="s-1")
        assert again == answer
        assert (await other.spend(each.company_id, SCANNER, 60)).granted == 39


async def test_the_same_spend_twice_in_a_call_is_charged_once(ratelimit, known):
    [company_id] = await known(1)
    twice = wish(company_id, SCANNER, 60)
    one, other = await ratelimit.spend_many(twice, twice)
    assert one == other
    assert (await ratelimit.spend(company_id, SCANNER, 60)).granted == 39


async def test_a_spend_that_is_wrong_is_told_so_and_the_others_are_decided(ratelimit, known):
    [company_id] = await known(1)
    first, wrong, last = await ratelimit.spend_many(
        wish(company_id, SCANNER), wish(0, "x", 1_001), wish(company_id, SCANNER)
    )
    assert [answer.granted for answer in (first, last)] == [1, 1]
    assert isinstance(wrong, InvalidArgument)
    assert [violation.field for violation in wrong.violations] == ["company_id", "scanner_id", "cost"]


async def test_a_fault_of_one_is_logged_and_the_others_are_decided(ratelimit, known, monkeypatch, caplog):
    """A stand-in would not be the service: the fault is put where only a mistake of ours could be."""
    faulty, company_id = await known(2)
    spend = Spending.spend

    async def faulting(self, holder, *more, **how):
        if holder.company_id == faulty:
            raise RuntimeError("a mistake")
        return await spend(self, holder, *more, **how)

    monkeypatch.setattr(Spending, "spend", faulting)
    error, answer = await ratelimit.spend_many(wish(faulty, SCANNER), wish(company_id, SCANNER))
    assert type(error) is Internal
    assert "mistake" not in error.message
    assert answer.granted == 1
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("a mistake",)]


async def test_nobody_waits_for_what_has_to_be_fetched_for_another(ratelimit, known, new_company):
    unknown, [company_id] = new_company(), await known(1)
    cold = wish(unknown, SCANNER, 30)
    error, answer = await ratelimit.spend_many(cold, wish(company_id, SCANNER))
    assert isinstance(error, Unavailable)
    assert answer.granted == 1
    alone = await ratelimit.spend(unknown, SCANNER, 30, spend_id=cold.spend_id)
    assert alone.granted == 30
    assert (await ratelimit.spend_many(cold, wish(company_id, SCANNER)))[0] == alone


async def test_a_spend_that_is_the_only_one_waits(ratelimit, company_id):
    [answer] = await ratelimit.spend_many(wish(company_id, SCANNER, 30))
    assert answer.granted == 30


@pytest.mark.parametrize("count", [0, SPENDS + 1])
async def test_none_and_too_many_are_refused_as_a_whole_and_not_charged(ratelimit, known, count):
    [company_id] = await known(1)
    error = await failure(ratelimit.spend_many(*(wish(company_id, SCANNER) for _ in range(count))))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["spends"]
    assert (await ratelimit.spend(company_id, SCANNER, 100)).granted == 99


async def test_so_many_are_taken(ratelimit, known):
    companies = await known(2)
    answers = await ratelimit.spend_many(*(wish(companies[n % 2], SCANNER) for n in range(SPENDS)))
    assert sum(answer.granted for answer in answers) == SPENDS


async def test_without_valkey_each_is_unavailable(ratelimit, known, valkey):
    companies = await known(2)
    valkey.stop()
    try:
        errors = await ratelimit.spend_many(*(wish(company_id, SCANNER) for company_id in companies))
    finally:
        valkey.start()
    assert [type(error) for error in errors] == [Unavailable, Unavailable]


@pytest.mark.parametrize("seed", range(5))
async def test_however_spends_are_spread_over_calls_the_same_is_granted(site, start, known, seed):
    """Of one company alone, of another one in company: all at once, at two replicas, some of them twice."""
    rng = random.Random(seed)
    replicas = [await start(), await start()]
    alone, together = await known(2)
    most = rng.choice([400, 10_000])
    for company_id in (alone, together):
        site.scanner(company_id)
        request = limit_pb2.SetLimitOverrideRequest(company_id=company_id, name="company.day", value=most)
        await replicas[0].limits.SetLimitOverride(request, **replicas[0].platform)
    scanners = [str(ids.uuid7()) for _ in range(8)]
    asked = {ids.message_id(): (rng.choice(scanners), rng.randint(1, 40)) for _ in range(60)}
    order = [*asked, *rng.sample([*asked], 10)]

    def wishes(company_id):
        return [wish(company_id, *asked[spend_id], spend_id=spend_id) for spend_id in order]

    spent = await asyncio.gather(*(rng.choice(replicas).spend_as(each) for each in wishes(alone)))
    lots = _lots(wishes(together), rng)
    shared = await asyncio.gather(*(rng.choice(replicas).spend_many(*lot) for lot in lots))
    wanted = dict.fromkeys(scanners, 0)
    for scanner, cost in asked.values():
        wanted[scanner] += cost
    expected = min(most, sum(min(100, cost) for cost in wanted.values()))
    assert _granted(order, spent) == _granted(order, itertools.chain(*shared)) == expected


def _lots(wishes, rng):
    lots = []
    while wishes:
        size = rng.randint(1, 40)
        lots.append(wishes[:size])
        wishes = wishes[size:]
    return lots


def _granted(order, answers):
    """The scans granted, those of a spend once; it is answered the same each time."""
    granted = {}
    for spend_id, answer in zip(order, answers, strict=True):
        assert granted.setdefault(spend_id, answer.granted) == answer.granted
    return sum(granted.values())
