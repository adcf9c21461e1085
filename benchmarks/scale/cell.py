"""A cell: both loads are offered, far below the peak, and everything counts until all of it is enriched and metered.

Each load begins right after a checkpoint, so that in all cells alike the pages touched for the first time go into the
write-ahead log whole; over a longer time that is less. A call that is answered late costs what it costs, so a machine
that others use as well spoils no cell, unless calls pile up without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bench.attempt import offer_once
from benchmarks.bench.batches import Batches
from benchmarks.bench.offer import Load
from benchmarks.bench.singles import Singles
from benchmarks.scale.cost import Cost, cost, counters
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.ground import Ground

_SIZE = 100
_WARM_UP_CALLERS = 16
_MOST_OUTSTANDING = 512
"""Calls; if more wait for their answers, the mesh does not take the load."""
_WARM_UP_CALLS = 64
"""Enough for every connection to be open."""
_FORGOTTEN_SECONDS = 31.0
"""A scanner that was silent for so long gets a new identity token with its next call."""


class NotTaken(Exception):
    """The load was not accepted whole, or not metered whole: no cost means anything then."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A point of an axis."""

    value: str
    costs: Mapping[str, Cost]
    """By load; of one that was not taken there is none."""
    troubles: Mapping[str, str]
    """Why a load was not taken."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A load."""

    size: int
    """Scans in one call."""
    per_second: float
    """Scans; a tenth to a quarter of what two cores take."""
    sender: Callable[[Ground, Crowd, Sequence[str]], Singles | Batches]
    """Makes what sends with some keys in turn."""

    @property
    def calls_per_second(self) -> float:
        """How many calls are made."""
        return self.per_second / self.size


def _singles(ground: Ground, crowd: Crowd, api_keys: Sequence[str]) -> Singles:
    return Singles(ground.stage.edge, api_keys, minting=crowd.minting)


def _batches(ground: Ground, crowd: Crowd, api_keys: Sequence[str]) -> Batches:
    return Batches(ground.stage.target, api_keys, _SIZE, minting=crowd.minting)


KINDS: Mapping[str, _Kind] = {"single": _Kind(1, 100, _singles), "batch": _Kind(_SIZE, 2_500, _batches)}
"""Single scans over HTTP, and batches of a hundred over gRPC."""


async def measured(ground: Ground, value: str, crowd: Crowd) -> Cell:
    """Measure what a scan of a crowd costs."""
    costs, troubles = {}, {}
    for name, kind in KINDS.items():
        try:
            costs[name] = await _cost(ground, crowd, kind)
            print(f"{value}, {name}: {costs[name].cpu_ms:.3f} ms", flush=True)
        except NotTaken as error:
            troubles[name] = str(error)
            print(f"{value}, {name}: {error}", flush=True)
    return Cell(value, costs, troubles)


async def _cost(ground: Ground, crowd: Crowd, kind: _Kind) -> Cost:
    """Offer a load.

    Raises:
        NotTaken: the mesh has not taken it.
    """
    seconds = ground.extent.seconds
    devices = crowd.draw(round(kind.calls_per_second * seconds) + _WARM_UP_CALLS)
    async with kind.sender(ground, crowd, [device.api_key for device in devices]) as sender:
        load = Load(sender.send, kind.size, _MOST_OUTSTANDING)
        await _warm_up(load, max(len(devices), _WARM_UP_CALLS) if crowd.seen else _WARM_UP_CALLS)
        if crowd.seen:  # as long as each of all of them is silent between two calls
            await asyncio.sleep(min(_FORGOTTEN_SECONDS, len(crowd.devices) / kind.calls_per_second))
        await ground.stage.streams.settle()
        await ground.store.checkpoint()
        before = await counters(ground, crowd.companies)
        attempt = await offer_once(ground.stage, load, kind.per_second, seconds)
        after = await counters(ground, crowd.companies)
        offered, metered = attempt.offered, after.metered - before.metered
        if offered.overrun or not offered.sent == offered.accepted == metered:
            raise NotTaken(f"{attempt}, {metered} metered; not accepted: {dict(sender.failures)}")
    return cost(attempt, before, after, ground.idle / kind.per_second)


async def _warm_up(load: Load, calls: int) -> None:
    """Make so many calls, some at once; whether they are accepted, the load that follows will show."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            await load.send()

    await asyncio.gather(*(caller() for _ in range(_WARM_UP_CALLERS)))
