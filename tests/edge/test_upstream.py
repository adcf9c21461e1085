"""How the edge calls services: with a deadline, again where nothing was begun, and never a replica that is stopping."""

from __future__ import annotations

from typing import Any

import grpc
import httpx
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from tests.edge import doorkeepers, dummies, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge, until

CALLS = 20
NATIVE_KEY = tuple(doorkeepers.GOOD_KEY.items())


def _without_health_checks(config: dict[str, Any]) -> None:
    """Leave the edge in the moment after a replica's death: it does not know yet."""
    for cluster in config["static_resources"]["clusters"]:
        cluster.pop("health_checks", None)


def test_json_callers_get_a_deadline(client: httpx.Client, ingest: Dummy) -> None:
    client.post("/v1/scans", json={})
    remaining = ingest.calls[0].time_remaining
    assert remaining is not None
    assert 9.0 < remaining < 10.0, "the edge gives 9.5 s, and itself waits for 10 s"


def test_a_native_callers_own_deadline_arrives(channel: grpc.Channel, ingest: Dummy) -> None:
    stub = ingest_pb2_grpc.IngestServiceStub(channel)
    stub.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=NATIVE_KEY, timeout=5)
    remaining = ingest.calls[0].time_remaining
    assert remaining is not None
    assert 4.0 < remaining < 6.0


def test_a_dead_replica_is_stepped_over(start_edge: EdgeStarter, ingest: Dummy) -> None:
    ports = [*envoys.free_ports(1), ingest.port]
    with start_edge(ingest=ports, change=_without_health_checks) as edge:
        answers = [_post(edge) for _ in range(CALLS)]
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert len(ingest.calls) == CALLS


def test_a_dead_replica_of_auth_is_stepped_over(start_edge: EdgeStarter, doorkeeper: Doorkeeper) -> None:
    ports = [*envoys.free_ports(1), doorkeeper.port]
    with start_edge(auth_check=ports, change=_without_health_checks) as edge:
        answers = [_post(edge) for _ in range(CALLS)]
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}


def test_what_a_service_refused_is_not_sent_again(client: httpx.Client, ingest: Dummy) -> None:
    ingest.replies["SubmitScan"] = dummies.refuse(
        grpc.StatusCode.UNAVAILABLE, "OVERLOADED", "too much", retry_seconds=2
    )
    assert statuses.from_json(client.post("/v1/scans", json={})).reason == "OVERLOADED"
    assert len(ingest.calls) == 1


def test_a_stopping_replica_is_not_asked(start_edge: EdgeStarter, ingest: Dummy) -> None:
    with (
        dummies.serving(dummies.READY["ingest"]) as stopping,
        start_edge(ingest=[stopping.port, ingest.port]) as edge,
    ):
        stopping.be("", serving=False)

        def left_alone() -> bool:
            stopping.calls.clear()
            assert {_post(edge).status_code for _ in range(4)} == {httpx.codes.OK}
            return not stopping.calls

        until(left_alone, seconds=5, what="calls go to the other replica")


def test_a_stopping_replica_of_auth_is_not_asked(start_edge: EdgeStarter, doorkeeper: Doorkeeper) -> None:
    with (
        doorkeepers.serving() as stopping,
        start_edge(auth_check=[stopping.port, doorkeeper.port]) as edge,
    ):
        stopping.live = False

        def left_alone() -> bool:
            stopping.questions.clear()
            assert {_post(edge).status_code for _ in range(4)} == {httpx.codes.OK}
            return not stopping.questions

        until(left_alone, seconds=5, what="checks go to the other replica")


def test_a_connection_that_auth_closes_costs_no_call(start_edge: EdgeStarter) -> None:
    """A replica that stops closes what it kept open, under a question now and then."""
    with doorkeepers.serving() as closing, start_edge(auth_check=[closing.port]) as edge:
        closing.hangs_up = 2
        assert _post(edge).status_code == httpx.codes.OK
        assert len(closing.questions) == 3


def test_what_a_stopping_replica_had_not_begun_goes_to_the_other(
    start_edge: EdgeStarter, ingest: Dummy
) -> None:
    with (
        dummies.serving(dummies.READY["ingest"]) as stopping,
        start_edge(ingest=[stopping.port, ingest.port]) as edge,
    ):
        stopping.replies["SubmitScan"] = lambda _, context: context.abort(grpc.StatusCode.CANCELLED, "")
        with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
            stub = ingest_pb2_grpc.IngestServiceStub(channel)
            for _ in range(CALLS):
                assert _post(edge).status_code == httpx.codes.OK
                stub.SubmitScan(ingest_pb2.SubmitScanRequest(), metadata=NATIVE_KEY)
        assert stopping.calls
        assert len(ingest.calls) == 2 * CALLS


def test_replicas_share_the_calls(start_edge: EdgeStarter, ingest: Dummy) -> None:
    with (
        dummies.serving(dummies.READY["ingest"]) as other,
        start_edge(ingest=[other.port, ingest.port]) as edge,
    ):
        for _ in range(CALLS):
            _post(edge)
    assert len(other.calls) == len(ingest.calls) == CALLS // 2


def _post(edge: Edge) -> httpx.Response:
    return edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
