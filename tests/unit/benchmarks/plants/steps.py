"""Functions of every form that a fault can be planted into."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


def plain(number: int) -> int:
    return number * 10


def now() -> datetime:
    return datetime(2026, 11, 30, tzinfo=UTC)


def instead(original, number: int) -> int:
    return -original(number)


class Steps:
    async def waiting(self, number: int) -> int:
        await asyncio.sleep(0)
        return number * 100
