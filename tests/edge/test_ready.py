"""/healthz says that the edge lives; /readyz whether a scan would be accepted now."""

from __future__ import annotations

import httpx
import pytest

from tests.edge import doorkeepers, dummies, envoys, statuses
from tests.edge.conftest import EdgeStarter
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge, until

SECONDS = 4.0
"""Twice the two seconds promised: a test machine has other things to do."""


def _ready(edge: Edge) -> bool:
    return edge.get("/readyz").status_code == httpx.codes.OK


@pytest.mark.parametrize("service", ["auth", "ingest"])
def test_readyz_follows_what_a_service_says(
    start_edge: EdgeStarter, doorkeeper: Doorkeeper, ingest: Dummy, service: str
) -> None:
    def be(*, ready: bool) -> None:
        if service == "auth":
            doorkeeper.ready = ready
        else:
            ingest.be(dummies.READY["ingest"], serving=ready)

    with start_edge() as edge:
        until(lambda: _ready(edge), seconds=SECONDS, what="ready at the start")
        be(ready=False)
        try:
            until(lambda: not _ready(edge), seconds=SECONDS, what=f"not ready without {service}")
            answer = edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY)
            assert answer.status_code == httpx.codes.OK, "a dead dependency does not take the service out"
            assert edge.get("/healthz").status_code == httpx.codes.OK
            assert statuses.from_json(edge.get("/readyz")).retry_delay == "1s"
        finally:
            be(ready=True)
        until(lambda: _ready(edge), seconds=SECONDS, what=f"ready with {service} again")


def test_readyz_follows_a_service_that_dies_and_comes_back(start_edge: EdgeStarter) -> None:
    [port] = envoys.free_ports(1)
    with start_edge(ingest=[port]) as edge:
        assert not _ready(edge)
        assert edge.get("/healthz").status_code == httpx.codes.OK
        ingest = Dummy(dummies.READY["ingest"], port=port)
        until(lambda: _ready(edge), seconds=SECONDS, what="ready once ingest is there")
        until(lambda: _accepts(edge), seconds=SECONDS, what="a scan gets through")
        ingest.stop()
        until(lambda: not _ready(edge), seconds=SECONDS, what="not ready without ingest")
        ingest = Dummy(dummies.READY["ingest"], port=port)
        until(lambda: _ready(edge) and _accepts(edge), seconds=SECONDS, what="ready with ingest again")
        ingest.stop()


def test_one_replica_is_enough(start_edge: EdgeStarter, ingest: Dummy) -> None:
    with start_edge(ingest=[*envoys.free_ports(1), ingest.port]) as edge:
        until(lambda: _ready(edge), seconds=SECONDS, what="ready with one of two replicas")


def _accepts(edge: Edge) -> bool:
    return edge.post("/v1/scans", json={}, headers=doorkeepers.GOOD_KEY).status_code == httpx.codes.OK
