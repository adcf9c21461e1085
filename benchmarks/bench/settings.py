"""What a mesh ran with while it was measured: durability and sizes, as its running parts say them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import nats
from redis.asyncio import Redis

from benchmarks.bench.bus import STREAMS
from benchmarks.mesh import Description

_POSTGRES = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_compression",
    "shared_buffers",
    "max_wal_size",
    "commit_delay",
)
_JETSTREAM = ("sync_interval", "max_file_store")
_VALKEY = ("appendonly", "save", "maxmemory", "maxmemory-policy")


@dataclass(frozen=True, slots=True)
class Part:
    """A server that is not ours."""

    version: str
    settings: Mapping[str, Any]


async def read(description: Description) -> Mapping[str, Part]:
    """Ask each server of a mesh."""
    readers = {"postgres": _postgres, "nats": _nats, "valkey": _valkey, "envoy": _envoy}
    parts = await asyncio.gather(*(reader(description) for reader in readers.values()))
    return dict(zip(readers, parts, strict=True))


async def _postgres(description: Description) -> Part:
    connection = await asyncpg.connect(description["postgres"])
    try:
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in _POSTGRES}
        return Part(await connection.fetchval("SHOW server_version"), shown)
    finally:
        await connection.close()


async def _nats(description: Description) -> Part:
    """Read the file that the process runs with, and how its streams are set up."""
    [pid] = description["processes"]["nats"]
    arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    configuration = json.loads(Path(arguments[arguments.index("--config") + 1]).read_text())
    own = {name: configuration["jetstream"][name] for name in _JETSTREAM}
    client = await nats.connect(description["nats"])
    try:
        infos = [await client.jetstream().stream_info(name) for name in STREAMS]
        streams = {info.config.name: _stream(info.config) for info in infos}
        return Part(str(client.connected_server_version), {**own, "streams": streams})
    finally:
        await client.close()


def _stream(config: Any) -> Mapping[str, Any]:
    return {name: getattr(config, name) for name in ("storage", "discard", "max_bytes", "num_replicas")}


async def _valkey(description: Description) -> Part:
    client = Redis.from_url(description["valkey"], decode_responses=True)
    try:
        shown: dict[Any, Any] = await client.config_get(*_VALKEY)
        return Part((await client.info("server"))["valkey_version"], shown)
    finally:
        await client.aclose()


async def _envoy(description: Description) -> Part:
    async with (
        aiohttp.ClientSession(description["edge"]["admin"]) as session,
        session.get("/server_info") as response,
    ):
        answered = await response.json(content_type=None)
    return Part(answered["version"], {"concurrency": answered["command_line_options"]["concurrency"]})
