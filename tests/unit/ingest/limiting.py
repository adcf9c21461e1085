"""Spends and refunds as ingest makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.ingest.errands import Errands
from services.ingest.grants import Grant
from services.ingest.limiter import Limiter
from tests.fakes import identities

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOLD = datetime(2026, 11, 25, 11, 59, 59, 999_000, tzinfo=UTC)
"""The accept time that the service tells: not this process' own."""
SECOND = timedelta(seconds=1)


async def spend(limiter: Limiter, cost: int = 1, **who: object) -> Grant:
    return await limiter.spend(identities.scanner(**who), cost)


async def refunded(limiter: Limiter, begun: Errands, grant: Grant, count: int) -> None:
    limiter.settle(identities.SCANNER, grant, count)
    await begun.drain()
