"""How many scanners a company may have, and in how many regions, is what its plan says."""

from __future__ import annotations

import asyncio

import pytest
from scanmesh.auth.v1 import auth_pb2

from services.chassis.errors import FailedPrecondition, Reason
from tests.rpc.auth.replica import failure


async def refusal(call):
    """Await a call that must fail for the state of things, and answer the reason and the limit."""
    error = await failure(call)
    assert isinstance(error, FailedPrecondition)
    assert error.retry_delay is None
    return error.reason, error.metadata["limit"]


async def listed(auth, company_id):
    request = auth_pb2.ListScannersRequest(company_id=company_id)
    return (await auth.scanners.ListScanners(request, **auth.platform)).scanners


async def move(auth, scanner, region):
    request = auth_pb2.UpdateScannerRequest(company_id=scanner.company_id, scanner_id=scanner.scanner_id)
    request.scanner.region = region
    return await auth.scanners.UpdateScanner(request, **auth.platform)


async def test_a_company_has_as_many_scanners_as_its_plan_allows(auth, plans):
    company_id, other = await auth.company(), await auth.company()
    plans.subscribe(company_id, scanner_quota=2)
    for _ in range(2):
        await auth.scanner(company_id)
    assert await refusal(auth.scanner(company_id)) == (Reason.SCANNER_LIMIT_REACHED, "2")
    assert len(await listed(auth, company_id)) == 2
    await auth.scanner(other)


async def test_a_deleted_scanner_makes_room_and_so_does_a_larger_plan(auth, plans):
    company_id = await auth.company()
    plans.subscribe(company_id, scanner_quota=1)
    made = (await auth.scanner(company_id)).scanner
    request = auth_pb2.DeleteScannerRequest(company_id=company_id, scanner_id=made.scanner_id)
    await auth.scanners.DeleteScanner(request, **auth.platform)
    await auth.scanner(company_id)
    assert (await refusal(auth.scanner(company_id)))[0] is Reason.SCANNER_LIMIT_REACHED
    plans.subscribe(company_id, scanner_quota=2)
    await auth.scanner(company_id)


async def test_a_smaller_plan_takes_no_scanner_away_and_lets_them_be_changed(auth, plans):
    company_id = await auth.company()
    scanners = [(await auth.scanner(company_id, region=region)).scanner for region in ("eu_1", "eu_2")]
    plans.subscribe(company_id, scanner_quota=1, region_quota=1)
    assert len(await listed(auth, company_id)) == 2
    moved = await move(auth, scanners[0], "eu_2")
    assert moved.scanner.region == "eu_2"
    assert await refusal(auth.scanner(company_id, region="eu_2")) == (Reason.SCANNER_LIMIT_REACHED, "1")


async def test_the_regions_of_a_companys_scanners_are_as_many_as_its_plan_allows(auth, plans):
    company_id = await auth.company(region="eu_1")
    plans.subscribe(company_id, region_quota=2)
    await auth.scanner(company_id)
    await auth.scanner(company_id, region="eu_2")
    await auth.scanner(company_id, region="eu_2")
    assert await refusal(auth.scanner(company_id, region="eu_3")) == (Reason.REGION_LIMIT_REACHED, "2")
    assert {scanner.region for scanner in await listed(auth, company_id)} == {"eu_1", "eu_2"}


async def test_a_scanner_moves_where_the_plan_allows_it(auth, plans):
    company_id = await auth.company()
    plans.subscribe(company_id, region_quota=1)
    first = (await auth.scanner(company_id, region="eu_1")).scanner
    assert (await move(auth, first, "eu_2")).scanner.region == "eu_2"  # it was the only one in its region
    second = (await auth.scanner(company_id, region="eu_2")).scanner
    assert await refusal(move(auth, second, "eu_1")) == (Reason.REGION_LIMIT_REACHED, "1")
    assert (await move(auth, second, "eu_2")).scanner.region == "eu_2"


@pytest.mark.parametrize("fields", [{"scanner_quota": 5}, {"region_quota": 5}])
async def test_scanners_registered_at_once_by_two_replicas_never_exceed_the_quota(auth, start, plans, fields):
    company_id, other = await auth.company(region="r_0"), await start()
    plans.subscribe(company_id, **fields)
    calls = [(auth, other)[number % 2].scanner(company_id, region=f"r_{number}") for number in range(16)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    registered = [answer for answer in answers if isinstance(answer, auth_pb2.RegisterScannerResponse)]
    assert len(registered) == len(await listed(auth, company_id)) == 5


async def test_scanners_moved_at_once_never_exceed_the_quota(auth, start, plans):
    company_id, other = await auth.company(region="eu_1"), await start()
    scanners = [(await auth.scanner(company_id)).scanner for _ in range(8)]
    plans.subscribe(company_id, region_quota=3)
    moves = [move((auth, other)[index % 2], scanner, f"r_{index}") for index, scanner in enumerate(scanners)]
    await asyncio.gather(*moves, return_exceptions=True)
    assert len({scanner.region for scanner in await listed(auth, company_id)}) == 3
