"""Takes all room of the disk on which the stores lie, and gives it back after a while: nobody is harmed but by ENOSPC."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks.chaos.injector import Injury
from benchmarks.chaos.machine import Filling, Machine
from benchmarks.disk import Disk
from deploy.local.environments import STORES_RESERVE_BYTES


class Filler:
    """Fills one disk."""

    def __init__(self, disk: Disk, turn: asyncio.Lock) -> None:
        """Describe it; whoever changes the disk holds `turn` meanwhile."""
        self._disk = disk
        self._turn = turn

    async def run(self, fillings: Sequence[Filling]) -> list[Injury]:
        """Fill the disk as planned, the run beginning now; answer what was done, when there is room again."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        injuries = []
        for filling in fillings:
            await asyncio.sleep(start + filling.at - loop.time())
            began = loop.time()
            async with self._turn:
                await asyncio.to_thread(self._disk.fill, 0 if filling.whole else STORES_RESERVE_BYTES // 2)
            await asyncio.sleep(start + filling.end - loop.time())
            async with self._turn:
                await asyncio.to_thread(self._disk.clear)
            injuries.append(Injury(began - start, Machine.DISK.what, (), began, loop.time()))
        return injuries
