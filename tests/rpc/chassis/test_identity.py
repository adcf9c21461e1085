"""The service's own port: nobody passes whom auth does not vouch for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scanmesh.ingest.v1 import ingest_pb2

from services.chassis import identity
from services.chassis.errors import PermissionDenied, Reason, Unauthenticated, Unavailable
from services.chassis.identity import Identity, Role, Signer
from tests.fakes import identities
from tests.rpc.chassis.scripted import NAME, RPCS, Scripted
from tests.servers.rpc import failure, signed

MINUTE = timedelta(minutes=1)


def call(channel: grpc.aio.Channel, rpc: str, metadata: Any = ()) -> Any:
    """Call an RPC with an empty message, whatever its type."""
    return channel.unary_unary(f"/{NAME}/{rpc}")(b"", metadata=metadata)


def forged(signer: Signer) -> list[str]:
    """Tokens that look right and are not."""
    stranger = Signer(Ed25519PrivateKey.generate())
    unknown = stranger.sign(identities.SCANNER, datetime.now(UTC))
    stranger.key_id = signer.key_id
    now = int(datetime.now(UTC).timestamp())
    operators = {
        "iss": "scanmesh-auth",
        "aud": "scanmesh-edge",
        "iat": now,
        "exp": now + 900,
        "sub": "x",
        "cid": 7,
    }
    return ["", "x", unknown, stranger.sign(identities.SCANNER, datetime.now(UTC)), signer.encode(operators)]


@pytest.mark.parametrize("rpc", RPCS)
async def test_without_an_identity_nothing_is_done(
    channel: grpc.aio.Channel, scripted: Scripted, signer: Signer, rpc: str
) -> None:
    for metadata in [(), *(((identity.METADATA_KEY, token),) for token in forged(signer))]:
        error = await failure(call(channel, rpc, metadata))
        assert (type(error), error.reason) == (Unauthenticated, Reason.CREDENTIALS_INVALID)
        assert error.retry_delay is None
    assert scripted.calls == 0


@pytest.mark.parametrize("rpc", RPCS)
async def test_a_call_that_took_longer_than_its_token_lives_is_to_be_made_again(
    channel: grpc.aio.Channel, scripted: Scripted, signer: Signer, rpc: str
) -> None:
    token = signer.sign(identities.SCANNER, datetime.now(UTC) - 2 * MINUTE)
    error = await failure(call(channel, rpc, ((identity.METADATA_KEY, token),)))
    assert type(error) is Unavailable
    assert error.retry_delay is not None
    assert scripted.calls == 0


@pytest.mark.parametrize("rpc", RPCS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN, Role.PLATFORM_ADMIN])
async def test_an_operator_is_no_scanner(
    channel: grpc.aio.Channel, scripted: Scripted, signer: Signer, rpc: str, role: Role
) -> None:
    error = await failure(call(channel, rpc, signed(signer, identities.operator(role))))
    assert (type(error), error.reason) == (PermissionDenied, Reason.PERMISSION_DENIED)
    assert error.retry_delay is None
    assert scripted.calls == 0


@pytest.mark.parametrize("rpc", RPCS)
async def test_a_scanner_passes(
    channel: grpc.aio.Channel, scripted: Scripted, scanner: Any, rpc: str
) -> None:
    await call(channel, rpc, scanner)
    assert scripted.calls == 1


async def test_nothing_of_a_strangers_request_is_looked_at(channel: grpc.aio.Channel) -> None:
    malformed = channel.unary_unary(f"/{NAME}/SubmitScan")(b"\xff\xff")
    assert type(await failure(malformed)) is Unauthenticated


async def test_each_of_many_calls_at_once_sees_its_own_caller(
    ingest: Any, scripted: Scripted, signer: Signer
) -> None:
    callers = [identities.scanner(company_id=number, subject=f"scanner-{number}") for number in range(1, 21)]
    all_in = asyncio.Barrier(len(callers))

    async def who(request: ingest_pb2.SubmitScanRequest, context: Any) -> ingest_pb2.SubmitScanResponse:
        before = identity.caller()
        await all_in.wait()
        assert identity.caller() is before
        return ingest_pb2.SubmitScanResponse(scan_id=f"{before.company_id} {before.identity.subject}")

    scripted.behaviour = who

    async def ask(known: Identity) -> str:
        answer = await ingest.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=signed(signer, known))
        return answer.scan_id

    assert await asyncio.gather(*map(ask, callers)) == [
        f"{known.company_id} {known.subject}" for known in callers
    ]
