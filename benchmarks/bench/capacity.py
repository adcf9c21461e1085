"""How much goes through all of the pipeline: a short flood, timed from its first scan to the last one's line in the ledger."""

from __future__ import annotations

import asyncio

from benchmarks.bench.offer import Load, peak
from benchmarks.bench.stage import Stage
from benchmarks.tenants import Company


async def capacity(stage: Stage, load: Load, company: Company, seconds: float) -> float:
    """Answer the scans a second of a flood that is offered for so many seconds."""
    loop = asyncio.get_running_loop()
    before, start = await company.usage(), loop.time()
    await peak(load, seconds)
    await stage.streams.settle()
    return (await company.usage() - before) / (loop.time() - start)
