"""How often ingest has decided by limits of its own, instead of asking: from then on nobody's quota is exact."""

from __future__ import annotations

import re

import aiohttp

from benchmarks.mesh import Description

_COUNTER = "ingest_limiter_fallbacks_total"


async def limiter_fallbacks(description: Description) -> float:
    """Answer the fallbacks of all replicas since each was started."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        return sum([counted(await _page(session, url)) for url in description["metrics"]["ingest"]])


def counted(page: str) -> float:
    """Answer what a page of metrics counts; a counter that has never counted is not on it."""
    lines = [line for line in page.splitlines() if re.match(rf"{_COUNTER}[{{ ]", line)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def _page(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text()
