"""What may be under way, by lane: who is above it is sent away at once, and comes back later, not all together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from tests.edge import doorkeepers, dummies, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge, until
from tests.edge.statuses import Refusal

ROOM = 4
TRIES = 40
MESSAGE = "too many requests are under way; send it again"
NATIVE_KEY = tuple(doorkeepers.GOOD_KEY.items())


def _narrow(config: dict[str, Any]) -> None:
    [ingest] = [each for each in config["static_resources"]["clusters"] if each["name"] == "ingest"]
    for threshold in ingest["circuit_breakers"]["thresholds"]:
        threshold["max_requests"] = ROOM


@pytest.fixture
def full(start_edge: EdgeStarter, ingest: Dummy, doorkeeper: Doorkeeper) -> Iterator[Edge]:
    """An edge with as many standard scans under way as may be."""
    held = threading.Event()
    ingest.replies["SubmitScan"] = dummies.hold(held, seconds=30)
    with start_edge(change=_narrow) as edge, ThreadPoolExecutor(ROOM) as threads:
        waiting = [threads.submit(_post, edge) for _ in range(ROOM)]
        until(lambda: len(ingest.calls) == ROOM, seconds=5, what="all of them are under way")
        del ingest.replies["SubmitScan"]
        yield edge
        held.set()
        assert {each.result().status_code for each in waiting} == {httpx.codes.OK}


def test_above_the_limit_callers_are_told_to_come_again_at_different_times(full: Edge) -> None:
    answers = [statuses.from_json(_post(full)) for _ in range(TRIES)]
    assert set(answers) == {Refusal(503, "OVERLOADED", MESSAGE, f"{delay}s", f"{delay}") for delay in (1, 2)}
    assert min(Counter(answers).values()) > TRIES // 8


def test_native_callers_are_told_in_their_form(full: Edge) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{full.port}") as channel:
        submit = ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan
        refusals = {
            statuses.from_grpc(lambda: submit(ingest_pb2.SubmitScanRequest(), metadata=NATIVE_KEY))
            for _ in range(TRIES)
        }
    unavailable = grpc.StatusCode.UNAVAILABLE
    assert refusals == {
        Refusal(unavailable, "OVERLOADED", MESSAGE, f"{delay}s", f"{delay}") for delay in (1, 2)
    }


def test_premium_has_room_of_its_own(full: Edge, doorkeeper: Doorkeeper, ingest: Dummy) -> None:
    doorkeeper.reply = doorkeepers.premium
    assert _post(full).status_code == httpx.codes.OK
    assert full.post("/v1/scans:batch", json={}, headers=doorkeepers.GOOD_KEY).status_code == httpx.codes.OK
    assert full.post("/api/scan", json={}, headers=doorkeepers.GOOD_KEY).status_code == httpx.codes.OK
    with grpc.insecure_channel(f"127.0.0.1:{full.port}") as channel:
        ingest_pb2_grpc.IngestServiceStub(channel).SubmitScan(
            ingest_pb2.SubmitScanRequest(), metadata=NATIVE_KEY
        )
    assert not [key for call in ingest.calls for key in call.metadata if key == "x-scanmesh-lane"]


def test_a_caller_does_not_choose_its_lane(full: Edge) -> None:
    forged = {**doorkeepers.GOOD_KEY, "x-scanmesh-lane": "premium"}
    assert full.post("/v1/scans", json={}, headers=forged).status_code == httpx.codes.SERVICE_UNAVAILABLE


def _post(edge: Edge) -> httpx.Response:
    return edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
