from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from services.chassis.errors import Reason, Unavailable
from services.chassis.subjects import SCANS, Lane
from services.ingest.backlog import Backlog
from services.ingest.disk import Disk
from tests.fakes.filling import Filling
from tests.servers.polling import eventually

_REFUSED_BY_SHARE = [
    (0.05, set()),
    (0.45, set()),
    (0.55, {Lane.BULK}),
    (0.75, {Lane.BULK}),
    (0.85, {Lane.BULK, Lane.STANDARD}),
    (0.95, {Lane.BULK, Lane.STANDARD}),
    (1.05, set(Lane)),
]
"""Well away from the borders: other tests write to this disk as well."""


def free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def refused(backlog: Backlog) -> set[Lane]:
    return {lane for lane in Lane if backlog.overload(lane) is not None}


@pytest.mark.parametrize(
    ("share", "lanes"),
    [
        (0.0, set()),
        (0.499, set()),
        (0.5, {Lane.BULK}),
        (0.799, {Lane.BULK}),
        (0.8, {Lane.BULK, Lane.STANDARD}),
        (0.999, {Lane.BULK, Lane.STANDARD}),
        (1.0, {Lane.BULK, Lane.STANDARD, Lane.PREMIUM}),
    ],
)
async def test_the_fuller_the_stream_the_more_lanes_wait(share: float, lanes: set[Lane]) -> None:
    bus = Filling(share)
    backlog = Backlog(bus)  # type: ignore[arg-type]
    assert refused(backlog) == set()
    await backlog.look()
    assert refused(backlog) == lanes
    assert bus.asked == [SCANS]


async def test_whoever_waits_is_told_that_it_is_overload_and_for_how_long() -> None:
    backlog = Backlog(Filling(1.0))  # type: ignore[arg-type]
    await backlog.look()
    overload = backlog.overload(Lane.BULK)
    assert overload is not None
    assert (overload.reason, bool(overload.retry_delay)) == (Reason.OVERLOADED, True)


async def test_while_the_bus_does_not_answer_what_was_seen_last_counts() -> None:
    bus = Filling(0.6)
    backlog = Backlog(bus)  # type: ignore[arg-type]
    await backlog.look()
    bus.share = None
    looking = asyncio.create_task(backlog.run())

    async def looked_again() -> bool:
        return len(bus.asked) > 1

    await eventually(looked_again, "the backlog to look again")
    assert not looking.done()
    assert refused(backlog) == {Lane.BULK}
    looking.cancel()


@pytest.mark.parametrize(("share", "lanes"), _REFUSED_BY_SHARE)
async def test_the_more_of_the_disk_is_reserved_the_more_lanes_wait(
    tmp_path: Path, share: float, lanes: set[Lane]
) -> None:
    backlog = Backlog(Filling(), Disk(tmp_path, int(share * free(tmp_path))))  # type: ignore[arg-type]
    await backlog.look()
    assert refused(backlog) == lanes


async def test_what_was_accepted_must_fit_on_the_disk_when_it_is_recorded(tmp_path: Path) -> None:
    bus = Filling(0.01, max_size=free(tmp_path))
    backlog = Backlog(bus, Disk(tmp_path, 1))  # type: ignore[arg-type]
    for _ in range(2):  # what waits is reckoned with at the next look
        await backlog.look()
    assert refused(backlog) == set()
    bus.share = 0.03
    for _ in range(2):
        await backlog.look()
    assert refused(backlog) == {Lane.BULK}


async def test_the_disk_is_seen_without_a_bus(tmp_path: Path) -> None:
    backlog = Backlog(Filling(None), Disk(tmp_path, 2 * free(tmp_path)))  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await backlog.look()
    assert refused(backlog) == set(Lane)


async def test_a_disk_that_cannot_be_looked_at_is_taken_as_it_was_last(tmp_path: Path) -> None:
    folder = tmp_path / "stores"
    folder.mkdir()
    bus = Filling()
    backlog = Backlog(bus, Disk(folder, int(0.6 * free(folder))))  # type: ignore[arg-type]
    await backlog.look()
    folder.rmdir()
    with pytest.raises(Unavailable):
        await backlog.look()
    assert refused(backlog) == {Lane.BULK}
    bus.share = 0.9  # which is seen all the same
    with pytest.raises(Unavailable):
        await backlog.look()
    assert refused(backlog) == {Lane.BULK, Lane.STANDARD}


async def test_it_is_told_which_lanes_are_refused_and_that_they_are_no_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = Filling(0.6)
    backlog = Backlog(bus)  # type: ignore[arg-type]
    caplog.set_level(logging.WARNING)
    looking = asyncio.create_task(backlog.run())

    def told() -> list[list[Lane]]:
        return [record.lanes for record in caplog.records]  # type: ignore[attr-defined]

    async def first() -> bool:
        return told() == [[Lane.BULK]]

    async def both() -> bool:
        return told() == [[Lane.BULK], []]

    await eventually(first, "the lanes to be told")
    bus.share = 0.1
    await eventually(both, "their end to be told")
    looking.cancel()
