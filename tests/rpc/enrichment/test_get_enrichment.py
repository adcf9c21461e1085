"""GetEnrichment: read your writes, see nobody else's."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

import pytest
from scanmesh.billing.v1 import billing_pb2, events_pb2
from scanmesh.enrichment.v1 import enrichment_pb2

from services.chassis import subjects, wire
from services.chassis.bus import Outcome
from services.chassis.derived import derived_id
from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied, Reason
from services.chassis.identity import Role
from services.chassis.ids import message_id, uuid7
from services.chassis.plans import COMPLETE, plan_key
from services.chassis.subjects import Kind, Lane
from tests.fakes import identities
from tests.fakes.identities import COMPANY_ID
from tests.fakes.recorded import delivered, recorded, scan_ids
from tests.fakes.scans import scan
from tests.servers.rpc import failure, signed

OTHER_SCANNER = "0190163d-8694-739b-aea5-966c26f8ad92"


@pytest.fixture
def get(enrichment, signer):
    """Call as an operator of company 7, or as said."""

    def call(scan_id, who=None, **request):
        asked = enrichment_pb2.GetEnrichmentRequest(scan_id=str(scan_id), **request)
        return enrichment.GetEnrichment(
            asked, metadata=signed(signer, who or identities.operator(Role.VIEWER))
        )

    return call


@pytest.fixture
async def enriched(enricher, clock):
    """A scan that was enriched, accepted just now."""
    event = recorded(scan(data="5901234123457"), accept_time=clock())
    await enricher.handle([delivered(event)])
    (scan_id,) = scan_ids(event)
    return scan_id


async def test_what_was_made_of_a_scan_is_answered(get, enriched, clock):
    answer = (await get(enriched)).enrichment
    assert (answer.scan_id, answer.kind) == (str(enriched), "barcode")
    assert answer.enrich_time.ToDatetime(UTC) == clock()
    assert answer.product == enrichment_pb2.Product(
        gtin="05901234123457", format="gtin_13", check_digit_valid=True, gs1_prefix_country="PL"
    )


async def test_the_id_is_taken_in_any_case(get, enriched):
    assert (await get(str(enriched).upper())).enrichment.scan_id == str(enriched)


@pytest.mark.parametrize(
    "scan_id", ["", "x", "0190163d8694739baea5966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad9\0"]
)
async def test_what_is_no_id_is_nobodys_scan(get, scan_id):
    error = await failure(get(scan_id))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def test_a_scanner_sees_its_own_scans_only(get, enriched):
    assert (await get(enriched, identities.scanner())).enrichment.scan_id == str(enriched)
    error = await failure(get(enriched, identities.scanner(subject=OTHER_SCANNER)))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def test_another_companys_scan_does_not_exist(get, enriched):
    error = await failure(get(enriched, identities.operator(company_id=8)))
    assert (error.reason, error.metadata) == (Reason.NOT_FOUND, {})


async def test_another_company_is_for_platform_admins_who_must_name_one(get, enriched):
    admin = identities.operator(Role.PLATFORM_ADMIN)
    assert (await get(enriched, admin, company_id=COMPANY_ID)).enrichment.scan_id == str(enriched)
    assert isinstance(await failure(get(enriched, admin)), InvalidArgument)
    other = identities.operator(company_id=8)
    assert isinstance(await failure(get(enriched, other, company_id=COMPANY_ID)), PermissionDenied)


async def test_a_scan_that_never_was_is_not_found_for_good(get):
    error = await failure(get(uuid7()))
    assert (type(error), error.reason, error.retry_delay) == (NotFound, Reason.NOT_FOUND, None)


async def publish(nats, subject, payload=b"x"):
    deadline = asyncio.get_running_loop().time() + 5
    assert await nats.publish(subject, payload, message_id=message_id(), deadline=deadline) is Outcome.ACKED


@pytest.mark.parametrize(
    "subject", [subjects.scan_accepted(Lane.BULK), subjects.scan_recorded(Lane.BULK, Kind.BARCODE)]
)
async def test_a_scan_that_may_be_on_its_way_is_to_be_asked_for_again(get, nats, subject):
    await publish(nats, subject)
    error = await failure(get(uuid7()))
    assert (type(error), error.reason) == (NotFound, Reason.NOT_RECORDED_YET)
    assert error.retry_delay == timedelta(seconds=1)


async def test_while_the_bus_is_away_nobody_is_told_not_found(get, enriched, nats_server):
    nats_server.freeze()
    try:
        error = await failure(get(uuid7()))
        assert (await get(enriched)).enrichment.scan_id == str(enriched)
    finally:
        nats_server.thaw()
    assert error.reason is Reason.NOT_RECORDED_YET


async def test_a_scan_that_arrives_while_it_is_asked_for_is_answered(get, nats, enricher, clock):
    event = recorded(accept_time=clock())
    (scan_id,) = scan_ids(event)
    await publish(nats, subjects.scan_recorded(Lane.PREMIUM, Kind.BARCODE), event.SerializeToString())
    asked = asyncio.ensure_future(get(scan_id))
    async with asyncio.timeout(5):
        await nats.looked.wait()  # so the first look was in vain
    await enricher.handle([delivered(event)])
    await nats.jetstream.purge_stream(subjects.RECORDED.name)
    assert (await asked).enrichment.scan_id == str(scan_id)


async def test_of_a_dead_scan_the_letter_is_named(get, enricher, clock):
    event = recorded(accept_time=clock(), first_index=3)
    await enricher.bury(delivered(event), 6)
    (scan_id,) = scan_ids(event)
    error = await failure(get(scan_id))
    letter = derived_id("LETTER", "enrichment_barcode", event.event_id, 3, "INTERNAL")
    assert (error.reason, error.metadata) == (Reason.NOT_FOUND, {"dead_letter_id": str(letter)})


async def test_of_a_scan_that_died_before_it_was_recorded_ingest_names_the_letter(get, ingest):
    scan_id = str(uuid7())
    ingest.letters[scan_id] = "0197a1b2-8d4e-7f50-9b6c-7d8e9f0a1b2c"
    error = await failure(get(scan_id))
    assert error.metadata == {"dead_letter_id": "0197a1b2-8d4e-7f50-9b6c-7d8e9f0a1b2c"}
    assert (error.reason, error.retry_delay) == (Reason.NOT_FOUND, None)


async def test_a_scan_that_ingest_is_not_sure_of_is_to_be_asked_for_again(get, ingest):
    scan_id = str(uuid7())
    ingest.later.add(scan_id)
    error = await failure(get(scan_id))
    assert (error.reason, error.retry_delay) == (Reason.NOT_RECORDED_YET, timedelta(seconds=1))


async def test_beyond_the_plans_retention_a_scan_is_not_found(get, enriched, plans, clock):
    offered = events_pb2.PlanOffered(
        plan=billing_pb2.Plan(
            plan="starter",
            lane="standard",
            over_quota=billing_pb2.OVER_QUOTA_REFUSE,
            retention=wire.duration(timedelta(days=90)),
        ),
        is_default=True,
    )
    plans.learn(plan_key("starter"), offered.SerializeToString())
    plans.learn(COMPLETE, b"epoch")
    plans.loaded.set()
    clock.advance(timedelta(days=89))
    assert (await get(enriched)).enrichment.scan_id == str(enriched)
    clock.advance(timedelta(days=2))
    assert (await failure(get(enriched))).reason is Reason.NOT_FOUND
