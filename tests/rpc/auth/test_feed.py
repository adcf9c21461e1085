"""The feed of changes over a real NATS: what the other tests take from a stand-in."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from scanmesh.auth.v1 import auth_pb2
from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.chassis import bus as real
from services.chassis import clock, subjects
from services.chassis.keyvalue import Bucket
from services.chassis.plans import Plans, company_key, plan_key
from services.chassis.provision import provision
from tests.rpc.auth.replica import failure, running
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually


@pytest.fixture
def nats(tmp_path):
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def replicas(site, nats, passwords):
    """Two replicas, started before the streams are there."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            connected = await stack.enter_async_context(real.connected(nats.url, "auth"))
            replica = running(site, connected, Plans(connected), passwords, clock.now)
            made.append(await stack.enter_async_context(replica))
        await connected.until_connected()
        await provision(connected.jetstream, [subjects.CONTROL, subjects.PLANS], max_bytes=2**24)
        yield made


async def trusts_its_memory(replica, site, api_key):
    """Wait until a key is let in without the database: beats arrive."""
    assert await replica.admits(api_key)
    site.postgres.stop()
    try:
        await eventually(lambda: replica.admits(api_key), "the feed to be alive")
    finally:
        site.postgres.start()


async def test_a_revocation_travels_from_replica_to_replica(replicas, site):
    one, other = replicas
    made = await one.scanner(await one.company())
    for replica in replicas:
        await trusts_its_memory(replica, site, made.api_key)
    named = {"company_id": made.scanner.company_id, "scanner_id": made.scanner.scanner_id}
    revoked = await one.scanners.RevokeApiKeys(auth_pb2.RevokeApiKeysRequest(**named), **one.platform)
    assert revoked.revoked_count == 1
    assert not await one.admits(made.api_key)

    async def refused():
        return not await other.admits(made.api_key)

    await eventually(refused, "the key to be refused")


async def test_no_cache_is_trusted_while_nats_is_down(replicas, site, nats):
    one, other = replicas
    made = await one.scanner(await one.company())
    await trusts_its_memory(other, site, made.api_key)
    nats.stop()
    named = {"company_id": made.scanner.company_id, "scanner_id": made.scanner.scanner_id}
    await failure(one.scanners.RevokeApiKeys(auth_pb2.RevokeApiKeysRequest(**named), **one.platform))

    async def refused():
        return not await other.admits(made.api_key)

    await eventually(refused, "the key to be refused for want of beats")
    nats.start()
    fresh = await one.scanner(made.scanner.company_id)
    await trusts_its_memory(other, site, fresh.api_key)


async def offer(bucket, plan, lane):
    offered = events_pb2.PlanOffered(
        plan=billing_pb2.Plan(plan=plan, lane=lane, over_quota="OVER_QUOTA_NONE")
    )
    assert await bucket.put(plan_key(plan), offered.SerializeToString(), after=0)


async def test_a_change_of_plan_moves_a_known_key_to_its_lane_on_every_replica(replicas, nats):
    company_id = await replicas[0].company()
    made = await replicas[0].scanner(company_id)
    for replica in replicas:
        assert (await replica.identity_of(x_api_key=made.api_key)).lane == ""  # it has not heard of any plan
    async with real.connected(nats.url, "billing") as connected:
        await connected.until_connected()
        bucket = Bucket(connected, subjects.PLANS)
        await offer(bucket, "gold", "premium")
        changed = events_pb2.SubscriptionChanged(
            company_id=company_id, plan="gold", state=billing_pb2.SUBSCRIPTION_STATE_ACTIVE, revision=1
        )
        assert await bucket.put(company_key(company_id), changed.SerializeToString(), after=0)

    for replica in replicas:

        async def premium(replica=replica):
            return (await replica.identity_of(x_api_key=made.api_key)).lane == "premium"

        await eventually(premium, "the lane to change")
