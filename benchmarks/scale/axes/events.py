"""Scans on record, and the kind of ids of the new ones.

The base cell's company has all of them, under UUIDv7s. New UUIDv4s are held against new UUIDv7s twice: with nothing on
record, and with the most there is, in another company that has as many under UUIDv4s, for all of these would go past
the end of an index of UUIDv7s.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

from benchmarks.bench.scan_ids import SCATTERED
from benchmarks.books.audit import audit
from benchmarks.scale.cell import Cell, measured
from benchmarks.scale.crowd import Crowd
from benchmarks.scale.ground import Ground
from benchmarks.scale.history import History, ordered, scattered

_SPARE_BYTES = 10 * 10**9
"""What stays free: for logs, streams, and whoever else uses the disk."""
_TRIAL = 20_000
_HISTORIES = 2


class NotAsRecorded(Exception):
    """Scans were loaded in another form than the services write: whatever they cost means nothing."""


async def scattered_ids(ground: Ground) -> Cell:
    """Measure new UUIDv4s, with nothing on record."""
    return await measured(ground, "UUIDv4, nothing on record", Crowd([ground.device], minting=SCATTERED))


async def most(ground: Ground) -> int:
    """Answer how many scans may be on record: what is wanted, if there is room for it.

    Raises:
        NotAsRecorded: the books do not take what is loaded for recorded scans.
    """
    size = await _bytes_of_one(ground)
    free = shutil.disk_usage(ground.stage.mesh.home.data).free
    fit = max(0, int((free - _SPARE_BYTES) / size / _HISTORIES))
    wanted = ground.extent.events
    if fit < wanted:
        print(
            f"room for {fit:,} of {wanted:,} scans only: {size:.0f} bytes each, twice, {free / 1e9:.0f} GB free"
        )
    return min(wanted, fit)


async def cells(ground: Ground, most: int) -> AsyncIterator[Cell]:
    """Load scans as they are needed; the last cell has `most`."""
    history = History(ground, ground.device, ordered, most)
    for share in ground.extent.shares:
        await history.grow(round(share * most))
        yield await measured(ground, f"{history.scans:,} on record", ground.one)


async def scattered_among(ground: Ground, scans: int) -> Cell:
    """Measure new UUIDv4s among as many as there are UUIDv7s."""
    _, device = await ground.stage.company("UUIDv4")
    history = History(ground, device, scattered, scans)
    await history.grow(scans)
    return await measured(ground, f"UUIDv4, {scans:,} on record", Crowd([device], minting=SCATTERED))


async def _bytes_of_one(ground: Ground) -> float:
    """Load some scans of another company, see what they take on disk, and that the books take them for recorded ones.

    Raises:
        NotAsRecorded: they do not.
    """
    company, device = await ground.stage.company("trial")
    before = await ground.store.stored_bytes()
    await History(ground, device, ordered, _TRIAL).grow(_TRIAL)
    size = (await ground.store.stored_bytes() - before) / _TRIAL
    report = await audit(ground.stage.description, companies=[company.id])
    if report.differences:
        raise NotAsRecorded("\n".join(report.differences))
    return size
