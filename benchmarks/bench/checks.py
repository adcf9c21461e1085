"""Asking auth who is calling, as the edge does: ext_authz on the service's own port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc
from scanmesh_envoy import external_auth_pb2 as envoy
from scanmesh_envoy import external_auth_pb2_grpc as envoy_grpc

from benchmarks.mesh import Description

_CALL_SECONDS = 2.0


class Checks:
    """One replica of auth."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = envoy_grpc.AuthorizationStub(channel)

    async def lets_in(self, api_key: str) -> bool:
        """Ask whether a key is good."""
        answer = await self._stub.Check(_request(api_key), timeout=_CALL_SECONDS)
        return bool(answer.status.code == 0)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Checks]:
    """Connect to a replica by its port."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield Checks(channel)


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


def _request(api_key: str) -> envoy.CheckRequest:
    request = envoy.CheckRequest()
    request.attributes.source.address.socket_address.address = "127.0.0.1"
    request.attributes.request.http.headers["x-api-key"] = api_key
    return request
