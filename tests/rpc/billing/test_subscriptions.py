from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, timedelta

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from scanmesh.billing.v1 import billing_pb2

from services.chassis import bus
from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied, Unavailable
from services.chassis.identity import Role
from services.chassis.plans import company_key
from services.chassis.subjects import PLANS
from tests.rpc.billing.replica import CREATED
from tests.servers.polling import eventually
from tests.servers.rpc import failure

NOBODY = 1_000_001


def get(company_id):
    return billing_pb2.GetSubscriptionRequest(company_id=company_id)


def update(company_id, *paths, **fields):
    return billing_pb2.UpdateSubscriptionRequest(
        company_id=company_id,
        subscription=billing_pb2.Subscription(**fields),
        update_mask=FieldMask(paths=paths),
    )


async def test_a_company_is_on_the_default_plan_since_it_was_created(billing, company_id):
    for options in (billing.as_(Role.VIEWER, company_id), billing.platform):
        got = (await billing.billing.GetSubscription(get(company_id), **options)).subscription
        assert (got.company_id, got.plan) == (company_id, "starter")
        assert got.state == billing_pb2.SUBSCRIPTION_STATE_ACTIVE
        assert got.start_time.ToDatetime(UTC) == CREATED
        assert not got.HasField("pending_plan")


async def test_a_company_that_is_not_there_is_not_found(billing):
    for call in (
        billing.billing.GetSubscription(get(NOBODY), **billing.platform),
        billing.billing.UpdateSubscription(update(NOBODY, plan="professional"), **billing.platform),
        billing.billing.GetUsage(billing_pb2.GetUsageRequest(company_id=NOBODY), **billing.platform),
        billing.billing.PreviewInvoice(
            billing_pb2.PreviewInvoiceRequest(company_id=NOBODY), **billing.platform
        ),
    ):
        assert isinstance(await failure(call), NotFound)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
async def test_only_platform_admins_change_it_and_others_see_only_their_own(billing, company_id, role):
    mine = billing.as_(role, company_id)
    call = billing.billing.UpdateSubscription(update(company_id, plan="enterprise"), **mine)
    assert isinstance(await failure(call), PermissionDenied)
    call = billing.billing.GetSubscription(get(company_id + 1), **mine)
    assert isinstance(await failure(call), PermissionDenied)


async def test_another_plan_begins_now_and_is_seen_at_once_on_every_replica(start, clock, company_id):
    one, two = await start(), await start()
    changed = await one.billing.UpdateSubscription(update(company_id, plan="professional"), **one.platform)
    assert changed.subscription.plan == "professional"
    assert changed.subscription.start_time.ToDatetime(UTC) == clock()
    asked = two.auth.asked
    got = await two.billing.GetSubscription(get(company_id), **two.as_(Role.VIEWER, company_id))
    assert got.subscription == changed.subscription
    assert two.auth.asked == asked  # what is stored proves the company


async def test_a_change_is_answered_when_everybody_who_goes_by_it_has_heard_it(billing, nats, company_id):
    request = update(company_id, plan="professional")
    async with bus.connected(nats.url, "tests") as own:
        await own.until_connected()
        async with aclosing(own.follow(PLANS, since=CREATED, silence=timedelta(minutes=1))) as heard:
            await anext(heard)  # a plan: from now on it is one of those who are waited for
            changing = asyncio.ensure_future(billing.billing.UpdateSubscription(request, **billing.platform))
            while (await anext(heard)).subject != f"$KV.plans.{company_key(company_id)}":
                pass
            error = await failure(changing)  # the reader is not done with it before it asks for the next
            assert isinstance(error, Unavailable)
            assert error.retry_delay is not None
            waiting = asyncio.create_task(_to_the_end(heard))
            changed = await billing.billing.UpdateSubscription(request, **billing.platform)
            assert changed.subscription.plan == "professional"
            waiting.cancel()
            await asyncio.wait([waiting])


async def test_an_end_and_a_new_beginning_leave_the_plan(billing, company_id):
    ended = update(company_id, state=billing_pb2.SUBSCRIPTION_STATE_ENDED)
    changed = (await billing.billing.UpdateSubscription(ended, **billing.platform)).subscription
    assert (changed.plan, changed.state) == ("starter", billing_pb2.SUBSCRIPTION_STATE_ENDED)
    assert changed.start_time.ToDatetime(UTC) == CREATED
    again = update(company_id, "state", plan="enterprise", state=billing_pb2.SUBSCRIPTION_STATE_ACTIVE)
    changed = (await billing.billing.UpdateSubscription(again, **billing.platform)).subscription
    assert (changed.plan, changed.state) == ("starter", billing_pb2.SUBSCRIPTION_STATE_ACTIVE)


async def test_a_change_that_is_made_again_changes_nothing(billing, clock, company_id):
    first = await billing.billing.UpdateSubscription(
        update(company_id, plan="professional"), **billing.platform
    )
    clock.advance(timedelta(seconds=1))
    again = await billing.billing.UpdateSubscription(
        update(company_id, plan="professional"), **billing.platform
    )
    assert again == first


async def test_everything_that_is_wrong_is_told_at_once(billing, company_id):
    request = update(company_id, "start_time", "colour", "plan", "state", plan="gold", state=9)
    error = await failure(billing.billing.UpdateSubscription(request, **billing.platform))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [
        "update_mask",
        "update_mask",
        "subscription.state",
        "subscription.plan",
    ]
    got = await billing.billing.GetSubscription(get(company_id), **billing.platform)
    assert got.subscription.plan == "starter"


async def test_what_the_server_sets_is_ignored_in_an_update(billing, company_id):
    request = update(company_id, plan="professional", pending_plan="starter")
    request.subscription.company_id = 3
    changed = (await billing.billing.UpdateSubscription(request, **billing.platform)).subscription
    assert changed.company_id == company_id
    assert not changed.HasField("pending_plan")


async def test_without_the_bus_a_change_is_made_and_told_later(billing, nats, company_id):
    nats.stop()
    try:
        request = update(company_id, plan="professional")
        error = await failure(billing.billing.UpdateSubscription(request, **billing.platform))
        assert isinstance(error, Unavailable)
        assert error.retry_delay is not None
        got = await billing.billing.GetSubscription(get(company_id), **billing.platform)
        assert got.subscription.plan == "professional"
    finally:
        nats.start()

    async def told():
        try:
            await billing.billing.UpdateSubscription(request, **billing.platform)
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(told, "the change to be told once the bus is back", seconds=20)


async def _to_the_end(events):
    async for _ in events:
        pass
