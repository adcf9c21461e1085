"""From the answer *accepted* to the visible result, at 1 000 scans a second in batches of 20."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from benchmarks.bench.batches import Batches
from benchmarks.bench.enriched import watching
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import Load, offer
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.stage import Stage
from benchmarks.tenants import Company

_PER_SECOND = 1_000
_SIZE = 20
_CALLERS = 16
_LOOKED_UP = 20
_WARM_UP_SECONDS = 1.0


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it, and look some of the results up through the edge."""
    company, device = await stage.company("enriched")
    accepted: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    async with (
        Batches(stage.target, [device.api_key], _SIZE) as batches,
        watching(stage.description, company.id) as watcher,
    ):

        async def send() -> int:
            ids = await batches.send_named()
            accepted.update(dict.fromkeys(ids, loop.time()))
            return len(ids)

        load = Load(send, _SIZE, _CALLERS)
        await offer(load, _PER_SECOND, _WARM_UP_SECONDS)
        accepted.clear()
        offered = await offer(load, _PER_SECOND, stage.extent.latency)
        taken = await watcher.spans(accepted)
    await _look_up(company, list(accepted)[:: max(1, len(accepted) // _LOOKED_UP)])
    await stage.streams.settle()
    if not offered.whole:
        return {"enriched_p99_ms": Reading(None, NOT_REACHED, str(offered))}
    return {"enriched_p99_ms": Reading(p99_ms(taken), note=f"{len(taken)} scans, {offered}")}


async def _look_up(company: Company, scan_ids: Sequence[str]) -> None:
    """Ask the API for results that were told to be there.

    Raises:
        ApiError: it does not have one.
    """
    for scan_id in scan_ids:
        asked = {"companyId": company.id}
        await company.platform.call("GET", f"/v1/scans/{scan_id}/enrichment", params=asked)
