"""The limiter over the wire: replicas of `ratelimit` that fail, hang or are not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from scanmesh.ratelimit.v1 import ratelimit_pb2_grpc

from services.chassis import clients
from services.chassis.errors import Unavailable
from services.chassis.identity import Verifier
from services.ingest import errands
from services.ingest.breaker import Breaker
from services.ingest.limiter import Limiter
from services.ingest.ratelimit import CALL_SECONDS, RateLimit
from tests.fakes import identities
from tests.fakes.plans import FakePlans
from tests.fakes.ratelimit import FakeRateLimit
from tests.rpc.ingest.conftest import ACCEPTED
from tests.servers import ports
from tests.servers.polling import eventually
from tests.servers.rpc import Added, serving

SLACK_SECONDS = 0.5
"""For a machine that is busy: what is asserted is that nobody waits for ever."""


def added(replica: FakeRateLimit) -> Added:
    return Added(ratelimit_pb2_grpc.add_RateLimitServiceServicer_to_server, replica)


@asynccontextmanager
async def limiting(*targets: int) -> AsyncIterator[Limiter]:
    addresses: Sequence[str] = [f"127.0.0.1:{port}" for port in targets]
    async with clients.channel(addresses) as channel, errands.running() as begun:
        service = RateLimit(ratelimit_pb2_grpc.RateLimitServiceStub(channel), Breaker())
        yield Limiter(service, begun, lambda: ACCEPTED, FakePlans().of)


async def served(limiter: Limiter, *replicas: FakeRateLimit) -> None:
    """Spend until each of these has been asked."""

    async def all_asked() -> bool:
        await limiter.spend(identities.SCANNER, 1)
        return all(replica.spends for replica in replicas)

    await eventually(all_asked, "every replica to be asked")
    for replica in replicas:
        replica.spends.clear()


async def test_what_one_replica_cannot_answer_another_one_does_under_the_same_id(verifier: Verifier) -> None:
    one, two = FakeRateLimit(ACCEPTED), FakeRateLimit(ACCEPTED)
    async with (
        serving(verifier, added(one)) as first,
        serving(verifier, added(two)) as second,
        limiting(first.port, second.port) as limiter,
    ):
        await served(limiter, one, two)
        one.fail(Unavailable("Valkey is away from here"))
        spent = [await limiter.spend(identities.SCANNER, 1) for _ in range(4)]
    assert all(grant.spend for grant in spent)
    assert one.spends
    assert {spend.spend_id for spend in one.spends} <= {spend.spend_id for spend in two.spends}


async def test_a_replica_that_hangs_costs_one_try(verifier: Verifier) -> None:
    hanging, two = FakeRateLimit(ACCEPTED), FakeRateLimit(ACCEPTED)
    async with (
        serving(verifier, added(hanging)) as first,
        serving(verifier, added(two)) as second,
        limiting(first.port, second.port) as limiter,
    ):
        await served(limiter, hanging, two)
        hanging.open.clear()
        spent = [await limiter.spend(identities.SCANNER, 1) for _ in range(2)]
    assert all(grant.spend for grant in spent)
    assert hanging.spends


async def test_with_nobody_there_a_few_scans_wait_and_the_next_ones_do_not() -> None:
    async with limiting(ports.free()) as limiter:
        begun = time.monotonic()
        first, *_ = [await limiter.spend(identities.SCANNER, 1) for _ in range(3)]
        waited = (time.monotonic() - begun) / 3
        others = await asyncio.gather(*(limiter.spend(identities.SCANNER, 1) for _ in range(20)))
        took = time.monotonic() - begun - 3 * waited
    assert {grant.spend for grant in (first, *others)} == {None}
    assert all(grant.granted for grant in (first, *others))
    assert CALL_SECONDS - 0.05 <= waited < CALL_SECONDS + SLACK_SECONDS
    assert took < CALL_SECONDS


async def test_a_service_that_comes_is_asked_again(verifier: Verifier) -> None:
    port, replica = ports.free(), FakeRateLimit(ACCEPTED)
    async with limiting(port) as limiter:
        assert not (await limiter.spend(identities.SCANNER, 1)).spend
        async with serving(verifier, added(replica), listen=f"127.0.0.1:{port}"):
            await served(limiter, replica)
            assert (await limiter.spend(identities.SCANNER, 1)).spend


async def test_a_refund_reaches_the_service(verifier: Verifier) -> None:
    replica = FakeRateLimit(ACCEPTED)
    async with serving(verifier, added(replica)) as server, limiting(server.port) as limiter:
        await served(limiter, replica)
        grant = await limiter.spend(identities.SCANNER, 5)
        limiter.settle(identities.SCANNER, grant, 3)

        async def refunded() -> bool:
            return bool(replica.refunds)

        await eventually(refunded, "the refund")
    assert replica.refunds == [(grant.spend.spend_id, identities.COMPANY_ID, 3)]
