"""Free ports for servers that cannot pick their own and must come back on the same one."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CANDIDATES = range(12_000, 60_000)


def free() -> int:
    """Answer a port nobody listens on, outside of the range from which the kernel gives ports to clients.

    Inside it, a client that tries to reach a stopped server could be given the server's own port.
    """
    low, high = (int(bound) for bound in _EPHEMERAL.read_text().split())
    outside = [port for port in _CANDIDATES if not low <= port <= high] or list(_CANDIDATES)
    return next(port for port in random.sample(outside, len(outside)) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
