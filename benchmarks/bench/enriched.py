"""When scans become visible: what enrichment tells the watchers of a company, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import nats
from nats.aio.msg import Msg
from scanmesh.enrichment.v1 import events_pb2

from benchmarks.mesh import Description

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.02


class NotEnriched(Exception):
    """Scans that were accepted have no result."""


class Watcher:
    """Notes for each scan of a company when its result was told first, by the time of the loop."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}

    async def take(self, message: Msg) -> None:
        """Note the scans of an event."""
        now = asyncio.get_running_loop().time()
        for scan in events_pb2.ScansEnriched.FromString(message.data).scans:
            self.seen.setdefault(scan.enrichment.scan_id, now)

    async def spans(self, since: Mapping[str, float]) -> Sequence[float]:
        """Wait until all these scans have a result; answer how many seconds after the given times.

        Raises:
            NotEnriched: some have none, half a minute later.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _WAIT_SECONDS
        while missing := since.keys() - self.seen.keys():
            if loop.time() > until:
                raise NotEnriched(f"{len(missing)} of {len(since)} scans, such as {min(missing)}")
            await asyncio.sleep(_LOOK_SECONDS)
        return [max(0.0, self.seen[scan_id] - time) for scan_id, time in since.items()]


@asynccontextmanager
async def watching(description: Description, company_id: int) -> AsyncIterator[Watcher]:
    """Listen to what is told of a company."""
    watcher = Watcher()
    client = await nats.connect(description["nats"])
    try:
        await client.subscribe(f"scan.enriched.v1.*.{company_id}", cb=watcher.take)
        await client.flush()
        yield watcher
    finally:
        await client.close()
