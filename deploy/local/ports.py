"""Ports of one mesh: the edge's as asked for, all others picked once and remembered.

Ports are picked outside the kernel's ephemeral range. Inside it a client that retries a dead part could be given that
very port as its own (or connect to itself), and the part could not come back.
"""

from __future__ import annotations

import itertools
import json
import secrets
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from deploy.local.failures import CannotStart
from deploy.local.home import Home, write_private

EDGE = "edge"
EDGE_TLS = "edge.tls"
_LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 10_000, 65_535
_TRIES = 100_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def check_port(replica: str) -> str:
    """Answer the name of the port on which a replica of auth is asked by the edge."""
    return f"{replica}.check"


def assign(
    home: Home, names: Sequence[str], *, edge_port: int, free: Callable[[int], bool] | None = None
) -> dict[str, int]:
    """Answer a port for each name, `EDGE` and `EDGE_TLS` included; those of the last start, where still free.

    Args:
        home: where the ports are remembered.
        names: whose ports are picked.
        edge_port: the edge's plaintext port; 0 picks that pair, too.
        free: tells whether a port can be had; by default by trying.

    Raises:
        CannotStart: `edge_port` or the one after it is in use, or no other port can be had.
    """
    free = free or is_free
    remembered = json.loads(home.ports_file.read_text()) if home.ports_file.exists() else {}
    edge = _edge(edge_port, remembered.get(EDGE), free)
    ports = {EDGE: edge, EDGE_TLS: edge + 1}
    for name in names:
        ports[name] = _keep_or_pick(remembered.get(name), free, but=ports.values())
    write_private(home.ports_file, json.dumps(ports, indent=1))
    return ports


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket() as server:
        # As every server does: connections of the last run that linger are no reason to refuse.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((_LOOPBACK, port))
            server.listen()
        except OSError:
            return False
    return True


def _edge(wanted: int, remembered: int | None, free: Callable[[int], bool]) -> int:
    if not wanted:
        return _keep_or_pick(remembered, lambda port: free(port) and free(port + 1))
    for port in (wanted, wanted + 1):
        if not free(port):
            advice = (
                "stop what listens there, or set SCANMESH_PORT to another port (TLS takes the one after it)"
            )
            raise CannotStart(f"port {port} is taken: {advice}")
    return wanted


def _keep_or_pick(remembered: int | None, free: Callable[[int], bool], *, but: Collection[int] = ()) -> int:
    preferred = [remembered] if remembered else []
    candidates = itertools.chain(preferred, _candidates())
    return next(port for port in candidates if port not in but and free(port))


def _candidates() -> Iterator[int]:
    """Answer ports at random: a mesh that starts beside this one picks too, so both hardly ever want the same.

    Raises:
        CannotStart: none of very many was taken.
    """
    low, high = (int(bound) for bound in _EPHEMERAL.read_text().split())
    outside = [*range(_FIRST, min(low, _LAST)), *range(max(high + 1, _FIRST), _LAST)]
    for _ in range(_TRIES):
        yield secrets.choice(outside or range(_FIRST, _LAST))
    raise CannotStart("no free port was found")
