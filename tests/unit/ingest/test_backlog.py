from __future__ import annotations

import asyncio

import pytest

from services.chassis.errors import Reason
from services.chassis.subjects import SCANS, Lane
from services.ingest.backlog import Backlog
from tests.fakes.filling import Filling
from tests.servers.polling import eventually


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
