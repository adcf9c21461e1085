"""What a mesh holds at a moment: memory by process, streams, tables, the cache; and whether any of it grows.

Grows is what in the last quarter of a run was clearly more than in the second one, half of the run before: the first is
for warming up. What was usual in a quarter counts. Memory goes up and down in large steps, as allocators and collectors
of garbage take and give back: it grows if both the least and the most that it had three times are clearly more. Tables
that keep scans grow by what was scanned; of them the bytes for each scan are told instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from statistics import median

import asyncpg
import redis.asyncio

from benchmarks.bench import usage
from benchmarks.bench.stage import Stage
from benchmarks.books.settling import WORK_QUEUES

KEEPS_SCANS = frozenset(
    {
        "ingest.scan_events",
        "ingest.scan_ids",
        "ingest.tallied",
        "enrichment.results",
        "billing.ledger",
    }
)
_GROWTH = 0.05
_SLACK_BYTES = 4e6
_SLACK_COUNT = 50.0
_TIMES = 3
_TABLES = """
    SELECT coalesce(pg_partition_root(leaf.oid), leaf.oid)::regclass::text AS name,
        sum(pg_total_relation_size(leaf.oid))::bigint AS bytes
    FROM pg_class AS leaf JOIN pg_namespace AS space ON space.oid = leaf.relnamespace
    WHERE leaf.relkind = 'r' AND space.nspname = ANY($1) GROUP BY 1
"""
_SCHEMAS = ["auth", "ingest", "ratelimit", "enrichment", "billing"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; by name, in bytes but for counts."""

    at: float
    """Seconds since the load began."""
    memory: Mapping[str, int]
    """Proportional set size by process, and Valkey's own idea of its data."""
    counts: Mapping[str, int]
    """Messages by work queue, and Valkey's keys."""
    tables: Mapping[str, int]
    """With indexes and all partitions."""


async def look(stage: Stage, at: float) -> Sample:
    """Take one."""
    states = await stage.streams.states()
    async with redis.asyncio.Redis.from_url(stage.description["valkey"]) as valkey:
        data, keys = (await valkey.info("memory"))["used_memory"], await valkey.dbsize()
    memory = await asyncio.to_thread(usage.pss_bytes, stage.description)
    return Sample(
        at=at,
        memory={**memory, "valkey's data": data},
        counts={**{name: states[name].messages for name in WORK_QUEUES}, "valkey's keys": keys},
        tables=await _tables(stage.description["postgres"]),
    )


async def _tables(url: str) -> Mapping[str, int]:
    connection = await asyncpg.connect(url)
    try:
        return {row["name"]: row["bytes"] for row in await connection.fetch(_TABLES, _SCHEMAS)}
    finally:
        await connection.close()


def growing(samples: Sequence[Sample]) -> list[str]:
    """Name what grows and should not."""
    quarters = [samples[len(samples) * part // 4 : len(samples) * (part + 1) // 4] for part in range(4)]
    if not all(quarters):
        return ["the load ended too early to tell whether anything grows"]
    found = []
    for kind, slack, levels in _KINDS:
        for name in getattr(samples[-1], kind):
            if name in KEEPS_SCANS:
                continue
            before, after = (
                [getattr(sample, kind).get(name, 0) for sample in quarters[part]] for part in (1, 3)
            )
            if all(level(after) > level(before) * (1 + _GROWTH) + slack for level in levels):
                found.append(
                    f"{kind} of {name} grows: {_told(levels, before)} in the second quarter, "
                    f"{_told(levels, after)} in the last"
                )
    return found


_Level = Callable[[Iterable[float]], float]


def _told(levels: Sequence[_Level], values: Iterable[float]) -> str:
    return " to ".join(f"{level(values):.0f}" for level in levels)


def _least(values: Iterable[float]) -> float:
    """Answer the third smallest: one odd value decides nothing, in whichever quarter it is."""
    return nsmallest(_TIMES, values)[-1]


def _most(values: Iterable[float]) -> float:
    """Answer the third largest."""
    return nlargest(_TIMES, values)[-1]


_KINDS: tuple[tuple[str, float, Sequence[_Level]], ...] = (
    ("memory", _SLACK_BYTES, (_least, _most)),
    ("counts", _SLACK_COUNT, (median,)),
    ("tables", _SLACK_BYTES, (median,)),
)
"""What is looked at; above what slack, and by which levels of a quarter, all of them, it grows."""


def slope(samples: Sequence[Sample], kind: str, name: str) -> float:
    """Answer by how much something grows in an hour: least squares over all but the first quarter."""
    seen = [(sample.at, getattr(sample, kind)[name]) for sample in samples[len(samples) // 4 :]]
    mean_at, mean = (sum(column) / len(seen) for column in zip(*seen, strict=True))
    spread = sum((at - mean_at) ** 2 for at, _ in seen)
    return 3_600 * sum((at - mean_at) * (value - mean) for at, value in seen) / spread if spread else 0.0
