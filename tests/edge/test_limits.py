"""The address limit: public routes and callers without a credential, per client address."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import httpx
import pytest
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from tests.edge import doorkeepers, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge
from tests.edge.statuses import Refusal

LIMIT = 5
LIMITED = Refusal(429, "RATE_LIMITED", "too many requests from this address", "1s", "1")


@pytest.fixture
def limited(start_edge: EdgeStarter) -> Iterator[Edge]:
    with start_edge(limit=LIMIT) as edge:
        yield edge


def test_public_routes_share_one_limit(limited: Edge, auth: Dummy) -> None:
    with limited.client() as client:
        answers = [client.post("/v1/sessions", json={}) for _ in range(LIMIT - 1)]
        answers += [client.get("/.well-known/jwks.json")]
        refused = client.post("/v1/sessions:refresh", json={})
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert statuses.from_json(refused) == LIMITED
    assert len(auth.calls) == LIMIT


def test_a_credential_does_not_lift_the_limit_of_public_routes(limited: Edge) -> None:
    with limited.client(headers=doorkeepers.GOOD_KEY) as client:
        answers = [client.post("/v1/sessions", json={}) for _ in range(LIMIT + 1)]
    assert statuses.from_json(answers[-1]) == LIMITED


def test_callers_without_a_credential_are_limited(limited: Edge, doorkeeper: Doorkeeper) -> None:
    with limited.client() as client:
        answers = [client.post("/v1/scans", json={}) for _ in range(LIMIT)]
        refused = client.post("/v1/companies", json={})
        legacy = client.post("/api/scan")
    assert {answer.status_code for answer in answers} == {httpx.codes.UNAUTHORIZED}
    assert statuses.from_json(refused) == LIMITED
    assert statuses.from_legacy(legacy) == Refusal(429, LIMITED.reason, LIMITED.message, None, "1")
    assert len(doorkeeper.questions) == LIMIT


def test_native_callers_are_told_in_their_form(limited: Edge) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{limited.port}") as channel:
        create = auth_pb2_grpc.SessionServiceStub(channel).CreateSession
        for _ in range(LIMIT):
            create(auth_pb2.CreateSessionRequest())
        refusal = statuses.from_grpc(lambda: create(auth_pb2.CreateSessionRequest()))
    assert refusal == Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, LIMITED.reason, LIMITED.message, "1s", "1")


def test_known_callers_are_not_limited(limited: Edge) -> None:
    with limited.client(headers=doorkeepers.GOOD_KEY) as client:
        answers = [client.post("/v1/scans", json={}) for _ in range(3 * LIMIT)]
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}


def test_each_address_has_its_own_limit(limited: Edge) -> None:
    def exhaust(address: str) -> list[int]:
        transport = httpx.HTTPTransport(local_address=address)
        with limited.client(transport=transport) as client:
            return [client.get("/.well-known/jwks.json").status_code for _ in range(LIMIT + 1)]

    assert (
        exhaust("127.0.0.1")
        == exhaust("127.0.0.2")
        == [httpx.codes.OK] * LIMIT + [httpx.codes.TOO_MANY_REQUESTS]
    )


def test_a_forged_address_does_not_help(limited: Edge) -> None:
    with limited.client() as client:
        answers = [
            client.get("/.well-known/jwks.json", headers={"x-forwarded-for": f"198.51.100.{number}"})
            for number in range(LIMIT + 1)
        ]
    assert answers[-1].status_code == httpx.codes.TOO_MANY_REQUESTS


def test_zero_is_off(stranger: httpx.Client) -> None:
    answers = [stranger.get("/.well-known/jwks.json").status_code for _ in range(3 * LIMIT)]
    assert set(answers) == {httpx.codes.OK}
