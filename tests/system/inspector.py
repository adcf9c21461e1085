"""Looks into the stores of a mesh, to compare them with what its API says. Only reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import nats
from scanmesh.ingest.v1 import events_pb2, scan_pb2

from benchmarks.books.settling import WORK_QUEUES
from benchmarks.chaos.fallbacks import limiter_fallbacks

Description = dict[str, Any]
"""mesh.json."""
SETTLE_SECONDS = 30.0
"""A part that was killed is back within 5 s, and what it held is redone within 20 s."""
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Record:
    """A scan as it is on record."""

    company_id: int
    accept_time: datetime
    scan_id: str
    scanner_id: str
    kind: str
    lane: str
    region: str
    scan: scan_pb2.Scan


def settle(description: Description, *, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until everything that was accepted is decided: the work queues are empty, in the order of the flow."""
    asyncio.run(_settle(description["nats"], seconds))


async def _settle(url: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    client = await nats.connect(url)
    try:
        for name in WORK_QUEUES:
            while (await client.jetstream().stream_info(name)).state.messages:
                assert time.monotonic() < deadline, f"{name} is not empty after {seconds} s"
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await client.close()


def records(description: Description, *scan_ids: str) -> list[Record]:
    """Answer the records of these scans, whosoever they are, once nothing is on its way any more."""
    settle(description)
    found = rows(
        description,
        "SELECT company_id, accept_time, scan_id, scanner_id, kind, lane, region, content"
        " FROM ingest.scan_events WHERE scan_id = ANY($1::uuid[])",
        list(scan_ids),
    )
    return [_record(row) for row in found]


def record(description: Description, scan_id: str) -> Record:
    """Answer the one record of a scan."""
    [found] = records(description, scan_id)
    return found


def stored_scans(description: Description, *scan_ids: str) -> list[scan_pb2.Scan]:
    """Answer the content of these scans as it is on record."""
    return [each.scan for each in records(description, *scan_ids)]


def waiting_scans(description: Description, *scan_ids: str) -> list[scan_pb2.Scan]:
    """Answer the copies of these scans that wait in SCANS for the recorder."""
    return [
        scan
        for message in asyncio.run(_waiting(description["nats"]))
        for submission in message.submissions
        for scan in submission.scans
        if scan.scan_id in scan_ids
    ]


def waiting(description: Description, stream: str) -> int:
    """Answer how many messages a work queue holds."""
    return asyncio.run(_messages(description["nats"], stream))


def fallbacks(description: Description) -> float:
    """Answer how many times ingest has decided by buckets of its own."""
    return asyncio.run(limiter_fallbacks(description))


async def _messages(url: str, stream: str) -> int:
    client = await nats.connect(url)
    try:
        return (await client.jetstream().stream_info(stream)).state.messages
    finally:
        await client.close()


async def _waiting(url: str) -> list[events_pb2.ScansAccepted]:
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info("SCANS")).state
        messages = [
            await jetstream.get_msg("SCANS", sequence)
            for sequence in range(state.first_seq, state.last_seq + 1)
            if state.messages
        ]
    finally:
        await client.close()
    return [events_pb2.ScansAccepted.FromString(message.data or b"") for message in messages]


def rows(description: Description, query: str, *values: Any) -> Sequence[asyncpg.Record]:
    """Ask PostgreSQL as its superuser, who sees every company."""
    return asyncio.run(_rows(description["postgres"], query, *values))


async def _rows(url: str, query: str, *values: Any) -> Sequence[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        found: Sequence[asyncpg.Record] = await connection.fetch(query, *values)
        return found
    finally:
        await connection.close()


def _record(row: asyncpg.Record) -> Record:
    content = scan_pb2.Scan.FromString(row["content"])
    scan_id, scanner_id = str(row["scan_id"]), str(row["scanner_id"])
    return Record(row["company_id"], row["accept_time"], scan_id, scanner_id, *row[4:7], scan=content)
