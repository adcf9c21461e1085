from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.failures import CannotStart
from deploy.local.home import Home
from deploy.local.ports import EDGE, EDGE_TLS, assign

NAMES = ["nats", "nats.monitor", "postgres"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_edge_port_is_as_asked_and_tls_the_next(home: Home) -> None:
    ports = assign(home, NAMES, edge_port=8080, free=lambda _: True)
    assert (ports[EDGE], ports[EDGE_TLS]) == (8080, 8081)
    assert len(set(ports.values())) == len(NAMES) + 2


def test_ports_are_kept_across_starts(home: Home) -> None:
    first = assign(home, NAMES, edge_port=0, free=lambda _: True)
    assert assign(home, NAMES, edge_port=0, free=lambda _: True) == first


def test_taken_port_is_picked_anew_and_the_others_kept(home: Home) -> None:
    first = assign(home, NAMES, edge_port=0, free=lambda _: True)
    second = assign(home, NAMES, edge_port=0, free=lambda port: port != first["nats"])
    assert second["nats"] not in first.values()
    assert {**second, "nats": 0} == {**first, "nats": 0}


@pytest.mark.parametrize("taken", [8080, 8081])
def test_taken_edge_port_is_refused_by_number(home: Home, taken: int) -> None:
    with pytest.raises(CannotStart, match=f"port {taken} is taken.*SCANMESH_PORT"):
        assign(home, NAMES, edge_port=8080, free=lambda port: port != taken)


def test_picked_ports_lie_outside_the_ephemeral_range(home: Home) -> None:
    low, high = (int(bound) for bound in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = assign(home, NAMES, edge_port=0, free=lambda _: True)
    assert not any(low <= port <= high for port in ports.values())
