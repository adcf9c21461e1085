"""How long a revoked key still gets in anywhere, with two replicas of auth that both know it.

A sample counts from when RevokeApiKeys was sent through the edge to the last answer by which any replica still let the
key in. Both are asked all the time, and until each has refused several times in a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from benchmarks.bench.checks import Checks, addresses, connected
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.row import Reading
from benchmarks.bench.stage import Stage
from benchmarks.tenants import Company

_ASK_SECONDS = 0.004
_REFUSALS_IN_A_ROW = 5
_PATIENCE_SECONDS = 15.0


class NotLetIn(Exception):
    """A key that is good is refused."""


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it; the mesh of this stage has two replicas."""
    company, _ = await stage.company("revocation")
    async with AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(connected(each)) for each in await addresses(stage.description)
        ]
        taken = [await _sample(company, replicas) for _ in range(stage.extent.revocations)]
    return {"revocation_p99_ms": Reading(p99_ms(taken), note=f"{len(taken)} keys, {len(replicas)} replicas")}


async def _sample(company: Company, replicas: Sequence[Checks]) -> float:
    """Answer how many seconds a new key got in after it was revoked."""
    device = await company.scanner()
    for replica in replicas:
        if not await replica.lets_in(device.api_key):
            raise NotLetIn(f"the new key of scanner {device.scanner_id}")
    loop = asyncio.get_running_loop()
    sent = loop.time()
    asking = [asyncio.create_task(_last_admission(replica, device.api_key, sent)) for replica in replicas]
    await company.platform.call("POST", f"{company.path}/scanners/{device.scanner_id}:revokeApiKeys", {})
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return max(await asyncio.gather(*asking)) - sent


async def _last_admission(replica: Checks, api_key: str, sent: float) -> float:
    """Answer the time of the last answer that let the key in; `sent` if there was none."""
    loop = asyncio.get_running_loop()
    last, refusals = sent, 0
    while refusals < _REFUSALS_IN_A_ROW:
        if await replica.lets_in(api_key):
            last, refusals = loop.time(), 0
        else:
            refusals += 1
        await asyncio.sleep(_ASK_SECONDS)
    return last
