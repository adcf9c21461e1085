"""Calls in progress when the process stops: what does not finish in time is told to come again.

gRPC would cancel them, which says nothing to a device: no reason, no retry delay, over HTTP an answer of no known form.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis.errors import Unavailable


class Calls:
    """The calls that are being answered."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._ended = False
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """Have a call be one of them.

        Raises:
            Unavailable: they were ended, now or before.
        """
        if self._ended:
            raise Unavailable("the service is stopping")
        try:
            async with asyncio.timeout(None) as limit:
                self._limits.add(limit)
                self._idle.clear()
                try:
                    yield
                finally:
                    self._limits.discard(limit)
                    if not self._limits:
                        self._idle.set()
        except TimeoutError as error:
            if not limit.expired():
                raise  # somebody else's, which nobody typed
            raise Unavailable("the service is stopping") from error

    async def end(self) -> None:
        """End all of them now, and whatever joins later; return when they have ended."""
        self._ended = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())
        await self._idle.wait()
