"""What a premium company feels of another one's bulk scans that come at ten times what its limit lets in.

The premium company goes on at a steady 100 scans a second, alone and then beside the flood; each scan counts from when
its call was due to when its result is visible. The other one's bucket is emptied before, for what a full one lets in
at once is another question. The value is the second 99th percentile, divided by the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.bench.batches import Batches
from benchmarks.bench.enriched import Watcher, watching
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import Load, Offered, offer
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.stage import Stage
from benchmarks.pace import at_rate
from benchmarks.tenants import Device

_PREMIUM_PER_SECOND = 100
_PREMIUM_SIZE = 2
_ADMITTED_PER_SECOND = 500
_FLOOD = 10
_FLOOD_SIZE = 100
_CALLERS = 64
_EMPTYING_SIZE = 1_000
_EMPTYING_SECONDS = 60.0
_WARM_UP_SECONDS = 1.0
_ADMITTED_BETWEEN = (0.8, 1.2)


@dataclass(frozen=True, slots=True)
class _Seen:
    p99_ms: float
    reached: bool


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure it."""
    _, premium = await stage.company("premium")
    _, flooding = await stage.company("bulk", "professional", company_minute=60 * _ADMITTED_PER_SECOND)
    async with watching(stage.description, premium.company_id) as watcher:
        quiet = await _premium(stage, watcher, premium)
        for _ in range(
            2
        ):  # what comes back while the first lot is worked off is little, and soon worked off as well
            await _empty(stage, flooding)
            await stage.streams.settle()
        flooded, flood = await _beside_flood(stage, watcher, premium, flooding)
    await stage.streams.settle()
    return {"lane_isolation_ratio": _reading(quiet, flooded, flood)}


async def _beside_flood(
    stage: Stage, watcher: Watcher, premium: Device, flooding: Device
) -> tuple[_Seen, Offered]:
    async with Batches(stage.target, [flooding.api_key], _FLOOD_SIZE, bulk=True) as batches:
        load = Load(batches.send, _FLOOD_SIZE, _CALLERS)
        seconds = stage.extent.latency + _WARM_UP_SECONDS
        flood = asyncio.create_task(offer(load, _FLOOD * _ADMITTED_PER_SECOND, seconds))
        seen = await _premium(stage, watcher, premium)
        return seen, await flood


async def _premium(stage: Stage, watcher: Watcher, device: Device) -> _Seen:
    due: dict[str, float] = {}
    async with Batches(stage.target, [device.api_key], _PREMIUM_SIZE) as batches:

        async def fire(due_time: float) -> None:
            due.update(dict.fromkeys(await batches.send_named(), due_time))

        calls = _PREMIUM_PER_SECOND / _PREMIUM_SIZE
        await at_rate(calls, _WARM_UP_SECONDS, fire)
        due.clear()
        await at_rate(calls, stage.extent.latency, fire)
        taken = await watcher.spans(due)
    wanted = round(calls * stage.extent.latency) * _PREMIUM_SIZE
    return _Seen(p99_ms(taken), len(due) == wanted)


async def _empty(stage: Stage, device: Device) -> None:
    """Send until the limit is reached.

    Raises:
        TimeoutError: it is not.
    """
    async with (
        Batches(stage.target, [device.api_key], _EMPTYING_SIZE, bulk=True) as batches,
        asyncio.timeout(_EMPTYING_SECONDS),
    ):
        while not batches.limited:
            await batches.send()


def _reading(quiet: _Seen, flooded: _Seen, flood: Offered) -> Reading:
    admitted = flood.accepted / flood.seconds / _ADMITTED_PER_SECOND
    note = (
        f"premium p99 {quiet.p99_ms:.0f} ms quiet, {flooded.p99_ms:.0f} ms beside {flood.rate:.0f}/s bulk, "
        f"of which {flood.accepted / flood.seconds:.0f}/s were let in"
    )
    low, high = _ADMITTED_BETWEEN
    if not (quiet.reached and flooded.reached and not flood.overrun and low <= admitted <= high):
        return Reading(None, NOT_REACHED, note)
    return Reading(flooded.p99_ms / quiet.p99_ms, note=note)
