"""How long an empty home takes to the first accepted scan, and what the mesh then holds in memory without any load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from benchmarks.bench import usage
from benchmarks.bench.row import Reading
from benchmarks.bench.stage import Stage
from benchmarks.client.answer import Duty
from benchmarks.client.http import HttpClient
from benchmarks.scan import Scan

_MEGABYTE = 1e6
_IDLE_SECONDS = 8.0
_PAUSE_SECONDS = 0.01


class NotAccepted(Exception):
    """A mesh that has just started refuses a scan for good."""


async def cold(stage: Stage) -> Mapping[str, Reading]:
    """Send a scan to a mesh that has just been started, until it is accepted.

    Raises:
        NotAccepted: the scan is refused for good.
    """
    description = stage.description
    async with HttpClient(description["edge"]["http"], connections=1) as client:
        scan = Scan().as_json()
        while (answer := await client.submit(description["demo"]["api_key"], scan)).duty is not Duty.DONE:
            if answer.duty is not Duty.AGAIN:
                raise NotAccepted(f"the first scan of a new mesh is refused: {answer}")
            await asyncio.sleep(_PAUSE_SECONDS)
    return {"cold_start_s": Reading(time.monotonic() - stage.began, note="from an empty home")}


async def idle(stage: Stage) -> Mapping[str, Reading]:
    """Wait a moment, and add up what all processes hold."""
    await asyncio.sleep(_IDLE_SECONDS)
    held = {name: size / _MEGABYTE for name, size in usage.pss_bytes(stage.description).items()}
    note = ", ".join(f"{name} {size:.0f}" for name, size in sorted(held.items(), key=lambda each: -each[1]))
    return {"idle_pss_mb": Reading(sum(held.values()), note=note)}
