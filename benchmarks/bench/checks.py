"""Asking auth who is calling, as the edge does: ext_authz on auth's own port for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from benchmarks.client.connections import Connections
from benchmarks.mesh import Description

_CLUSTER = "auth_check"
_ADMITTED = 200


class Checks:
    """One replica of auth."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def lets_in(self, api_key: str) -> bool:
        """Ask whether a key is good.

        Raises:
            OSError: it was not answered.
            asyncio.IncompleteReadError: it was answered by half.
        """
        status, _ = await self._connections.exchange(_QUESTION % api_key.encode())
        return status == _ADMITTED


_QUESTION = (
    b"POST /check/v1/scans HTTP/1.1\r\nhost: auth\r\nx-envoy-external-address: 127.0.0.1\r\nx-api-key: %s\r\n"
    b"content-length: 0\r\n\r\n"
)


async def addresses(description: Description) -> list[tuple[str, int]]:
    """Answer where the replicas of auth take checks; the edge knows."""
    async with (
        aiohttp.ClientSession(description["edge"]["admin"]) as session,
        session.get("/clusters", params={"format": "json"}) as response,
    ):
        clusters = (await response.json(content_type=None))["cluster_statuses"]
    sockets = [
        host["address"]["socket_address"]
        for cluster in clusters
        if cluster["name"] == _CLUSTER
        for host in cluster["host_statuses"]
    ]
    return [(each["address"], each["port_value"]) for each in sockets]


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Checks]:
    """Connect to a replica by its host and port."""
    async with Connections(*address) as connections:
        yield Checks(connections)


async def lookups(description: Description) -> dict[str, int]:
    """Answer how many credentials each tier (`memory`, `shared`, `database`) of auth has answered for."""
    found: dict[str, int] = {"memory": 0, "shared": 0, "database": 0}
    async with aiohttp.ClientSession() as session:
        for page in description["metrics"]["auth"]:
            async with session.get(page) as response:
                text = await response.text()
            for tier in found:
                found[tier] += _sum(text, tier)
    return found


def _sum(page: str, tier: str) -> int:
    lines = [
        line for line in page.splitlines() if line.startswith("auth_lookups") and f'tier="{tier}"' in line
    ]
    return sum(int(float(line.split()[-1])) for line in lines if not line.startswith("auth_lookups_created"))
