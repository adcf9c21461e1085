"""Replays of scans whose enrichment has failed: each failure is taken over once."""

from __future__ import annotations

import pytest

from services.chassis.ids import uuid7
from services.enrichment.results import State
from tests.fakes.recorded import delivered, recorded
from tests.fakes.scans import scan
from tests.stores.enrichment.feeds import POISON
from tests.stores.enrichment.outbox import Crash


class Replays:
    """A scan whose enrichment has failed, and its replays."""

    def __init__(self, worker):
        self.scan = scan(data=POISON)
        self.failed = recorded(self.scan, first_index=4)
        self._worker = worker

    async def begin(self):
        await self._worker.bury(delivered(self.failed), 3)
        return self

    def of(self, event, data="4006381333931"):
        replayed = recorded(self.scan, first_index=4, replayed_event_id=event.event_id)
        replayed.submissions[0].scans[0].scan.barcode.data = data
        return replayed


@pytest.fixture
async def replays(worker):
    return await Replays(worker).begin()


async def test_a_replay_turns_the_failure_into_its_own_result(replays, worker, outbox, states):
    replay = replays.of(replays.failed)
    await worker.handle([delivered(replay)])
    assert await states(replay) == [State.OK]
    assert outbox.counted == [(0, 1), (1, -1)]
    assert outbox.revived == [each.dead_letter_id for each in outbox.letters]


async def test_a_replay_that_comes_again_is_told_in_the_same_bytes(replays, worker, other, outbox):
    replay = replays.of(replays.failed)
    outbox.crash_before = {"events"}
    with pytest.raises(Crash):
        await worker.handle([delivered(replay)])
    outbox.crash_before = set()
    other._out = outbox
    await other.handle([delivered(replay, tries=2), delivered(replay, tries=3)])
    assert list(outbox.told.values()) == ["1"]
    assert outbox.counted == [(0, 1), (1, -1)]


async def test_of_two_replays_of_one_letter_one_counts(replays, worker, outbox):
    first, second = replays.of(replays.failed), replays.of(replays.failed)
    await worker.handle([delivered(first), delivered(second)])
    await worker.handle([delivered(second, tries=2)])
    assert outbox.counted == [(0, 1), (1, -1)]


async def test_a_replay_that_fails_again_can_be_replayed_by_its_new_letter_only(
    replays, worker, outbox, states
):
    again = replays.of(replays.failed, POISON)
    await worker.bury(delivered(again), 3)
    assert await states(again) == [State.FAILED]
    assert {each.message_id for each in outbox.letters} == {replays.failed.event_id, again.event_id}
    await worker.handle([delivered(replays.of(replays.failed))])
    assert await states(again) == [State.FAILED]
    await worker.handle([delivered(replays.of(again))])
    assert await states(again) == [State.OK]
    assert outbox.counted == [(0, 1), (1, -1)]
    assert len(set(outbox.revived)) == 2


async def test_a_replay_never_makes_a_result_or_changes_a_good_one(worker, other, states):
    absent = recorded(replayed_event_id=str(uuid7()))
    await other.handle([delivered(absent)])
    good = recorded()
    await worker.handle([delivered(good)])
    await other.handle(
        [delivered(recorded(good.submissions[0].scans[0].scan, replayed_event_id=good.event_id))]
    )
    assert await states(absent) == [None]
    assert other._out.offered == []
