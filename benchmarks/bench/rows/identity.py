"""Who is calling, asked on auth's own port: of keys it has in memory, and of keys that only Valkey has.

For the second, auth is killed: the process that comes back knows nobody, and finds in Valkey what the one before has
put there. Nearly all answers have to come from there by its own count, or the row has no value; the few that did not
count all the same, for Valkey was too slow for them.
"""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Mapping, Sequence

from benchmarks.bench.checks import Checks, addresses, connected, lookups
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.pulse import spans
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.stage import Stage
from benchmarks.tenants import Company
from deploy.local.process import ProcessId

_MEMORY_PER_SECOND = 200
_VALKEY_PER_SECOND = 100
_KEYS = 350
_WARM_UP = 50
"""The first calls open connections, auth's to Valkey among them."""
_OF_THE_TIER = 0.98
_REGISTERED_AT_ONCE = 8
_BACK_SECONDS = 30.0
_LOOK_SECONDS = 0.05


async def measure(stage: Stage) -> Mapping[str, Reading]:
    """Measure both."""
    company, _ = await stage.company("identity")
    [auth] = await addresses(stage.description)
    keys = await _keys(company)
    calls = [keys[number % len(keys)] for number in range(round(stage.extent.latency * _MEMORY_PER_SECOND))]
    async with connected(auth) as checks:
        for key in keys:  # one by one: in a crowd some would wait too long for Valkey, and not get there
            await _let_in(checks, key)
        memory = await _measured(stage, checks, calls, "memory", _MEMORY_PER_SECOND)
    await _kill_auth(stage)
    async with connected(auth) as checks:
        await _until_heard(checks, stage)
        valkey = await _measured(stage, checks, keys, "shared", _VALKEY_PER_SECOND)
    return {"identity_memory_p99_ms": memory, "identity_valkey_p99_ms": valkey}


async def _measured(
    stage: Stage, checks: Checks, keys: Sequence[str], tier: str, per_second: float
) -> Reading:
    await spans(per_second, _WARM_UP, lambda number: _let_in(checks, keys[number]))
    keys = keys[_WARM_UP:]
    before = await lookups(stage.description)
    taken = await spans(per_second, len(keys), lambda number: _let_in(checks, keys[number]))
    after = await lookups(stage.description)
    answered = {name: after[name] - before[name] for name in after}
    slowest = p99_ms(taken)
    note = f"{len(taken)} calls, {per_second:.0f}/s, answered by {answered}"
    if slowest == math.inf or answered[tier] < _OF_THE_TIER * len(keys):
        return Reading(None, NOT_REACHED, note)
    return Reading(slowest, note=note)


async def _let_in(checks: Checks, api_key: str) -> bool:
    try:
        return await checks.lets_in(api_key)
    except (OSError, asyncio.IncompleteReadError):  # not answered in time, or not there yet
        return False


async def _keys(company: Company) -> list[str]:
    at_once = asyncio.Semaphore(_REGISTERED_AT_ONCE)

    async def register() -> str:
        async with at_once:
            return (await company.scanner()).api_key

    return await asyncio.gather(*(register() for _ in range(_KEYS)))


async def _kill_auth(stage: Stage) -> None:
    """Kill auth; return when another process has taken its place in mesh.json."""
    [pid] = stage.description["processes"]["auth"]
    ProcessId.of(pid).send(signal.SIGKILL)
    async with asyncio.timeout(_BACK_SECONDS):
        while stage.description["processes"].get("auth", [pid]) == [pid]:  # noqa: ASYNC110 - a file says it
            await asyncio.sleep(_LOOK_SECONDS)


async def _until_heard(checks: Checks, stage: Stage) -> None:
    """Return when auth trusts what is cached: it hears of revocations, and so answers for the demo key from memory."""
    api_key = stage.description["demo"]["api_key"]
    async with asyncio.timeout(_BACK_SECONDS):
        while not await _let_in(checks, api_key):  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(_LOOK_SECONDS)
        before = await lookups(stage.description)
        while (await lookups(stage.description))["memory"] == before["memory"]:
            await _let_in(checks, api_key)
            await asyncio.sleep(_LOOK_SECONDS)
