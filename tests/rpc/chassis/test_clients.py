"""Channels to other services: over all of their replicas, each answer once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from services.chassis import clients, deadline
from services.chassis.clock import now
from services.chassis.errors import DeadlineExceeded, NotFound, Unavailable
from services.chassis.identity import Signer, Verifier
from tests.fakes import identities
from tests.rpc.chassis.scripted import Scripted
from tests.servers import ports
from tests.servers.rpc import serving

EMPTY = ingest_pb2.SubmitScanRequest()
SECONDS = 0.4


@asynccontextmanager
async def connected(signer: Signer, targets: Sequence[int], *, seconds: float = 5.0) -> AsyncIterator[Any]:
    """A stub over replicas on these ports."""
    token = signer.sign(identities.SCANNER, now())
    addresses = [f"127.0.0.1:{port}" for port in targets]
    async with clients.channel(addresses, seconds=seconds, identity_token=token) as channel:
        yield ingest_pb2_grpc.IngestServiceStub(channel)


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def both_called(stub: Any, first: Scripted, second: Scripted) -> None:
    """Call until both replicas are connected and take turns."""
    async with asyncio.timeout(5):
        while not (first.calls and second.calls):
            await stub.SubmitScan(EMPTY)
    first.calls = second.calls = 0


async def test_replicas_take_turns(signer: Signer, verifier: Verifier) -> None:
    one, two = Scripted(), Scripted()
    async with (
        serving(verifier, one.added()) as first,
        serving(verifier, two.added()) as second,
        connected(signer, [first.port, second.port]) as stub,
    ):
        await both_called(stub, one, two)
        for _ in range(20):
            await stub.SubmitScan(EMPTY)
    assert (one.calls, two.calls) == (10, 10)


async def test_with_a_replica_gone_calls_go_on_and_with_it_back_it_is_called_again(
    signer: Signer, verifier: Verifier
) -> None:
    one, two = Scripted(), Scripted()
    async with (
        serving(verifier, one.added()) as first,
        serving(verifier, two.added()) as second,
        connected(signer, [first.port, second.port]) as stub,
    ):
        await both_called(stub, one, two)
        await second.stop()
        for _ in range(20):
            await stub.SubmitScan(EMPTY)
        assert one.calls == 20
        async with serving(verifier, two.added(), listen=f"127.0.0.1:{second.port}"):
            await both_called(stub, one, two)


async def test_a_peer_that_is_starting_is_waited_for(signer: Signer, verifier: Verifier) -> None:
    port, scripted = ports.free(), Scripted()
    async with connected(signer, [port]) as stub:
        call = asyncio.ensure_future(answer(stub))
        await asyncio.wait([call], timeout=0.3)
        assert not call.done()
        async with serving(verifier, scripted.added(), listen=f"127.0.0.1:{port}"):
            assert await call == "answered"
    assert scripted.calls == 1


async def test_a_peer_that_never_comes_is_given_up_at_the_deadline(signer: Signer) -> None:
    async with connected(signer, [ports.free()], seconds=SECONDS) as stub:
        begun = loop_time()
        with pytest.raises(DeadlineExceeded):
            await stub.SubmitScan(EMPTY)
        assert SECONDS - 0.05 <= loop_time() - begun < SECONDS + 0.5


async def test_a_call_has_no_more_time_than_the_call_it_serves(signer: Signer) -> None:
    deadline.begin(SECONDS)
    async with connected(signer, [ports.free()], seconds=60) as stub:
        begun = loop_time()
        with pytest.raises(DeadlineExceeded):
            await stub.SubmitScan(EMPTY)
        assert loop_time() - begun < SECONDS + 0.5


async def test_an_answer_is_never_asked_for_twice(signer: Signer, verifier: Verifier) -> None:
    async def refuse(request: Any, context: Any) -> Any:
        raise Unavailable("away")

    scripted = Scripted(refuse)
    async with serving(verifier, scripted.added()) as server, connected(signer, [server.port]) as stub:
        with pytest.raises(Unavailable):
            await stub.SubmitScan(EMPTY)
    assert scripted.calls == 1


@pytest.mark.parametrize("details", [b"\xff\xff", b"", b"\x08\x05"])
async def test_details_that_cannot_be_read_leave_the_kind(
    signer: Signer, verifier: Verifier, details: bytes
) -> None:
    async def refuse(request: Any, context: Any) -> Any:
        trailers = (("grpc-status-details-bin", details),)
        await context.abort(grpc.StatusCode.NOT_FOUND, "not here", trailers)

    async with (
        serving(verifier, Scripted(refuse).added()) as server,
        connected(signer, [server.port]) as stub,
    ):
        with pytest.raises(NotFound, match="not here"):
            await stub.SubmitScan(EMPTY)


async def test_a_peer_that_dies_while_it_works_is_unavailable(signer: Signer, verifier: Verifier) -> None:
    begun = asyncio.Event()

    async def die(request: Any, context: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with (
        serving(verifier, Scripted(die).added(), grace=timedelta(0)) as server,
        connected(signer, [server.port]) as stub,
    ):
        call = asyncio.ensure_future(answer(stub))
        await begun.wait()
        await server.stop()
        with pytest.raises(Unavailable):
            await call


async def answer(stub: Any) -> str:
    return (await stub.SubmitScan(EMPTY)).scan_id
