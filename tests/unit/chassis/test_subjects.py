from __future__ import annotations

import pytest

from services.chassis.subjects import (
    RECORDED,
    SCANS,
    STREAMS,
    USAGE,
    Kind,
    Lane,
    Meter,
    Stream,
    scan_accepted,
    scan_recorded,
    usage_recorded,
)

QUEUES = [stream for stream in STREAMS if stream.durables]


def test_every_lane_has_a_subject_for_accepted_scans_and_one_for_recorded_ones_of_each_kind() -> None:
    assert set(SCANS.subjects) == {scan_accepted(lane) for lane in Lane}
    assert set(RECORDED.subjects) == {scan_recorded(lane, kind) for lane in Lane for kind in Kind}
    assert set(USAGE.subjects) == {usage_recorded(meter) for meter in Meter}


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_every_subject_of_a_queue_has_one_durable_of_exactly_it(queue: Stream) -> None:
    assert [durable.subject for durable in queue.durables] == list(queue.subjects)


def test_no_queue_is_filtered_by_a_wildcard() -> None:
    every = [subject for queue in QUEUES for subject in queue.subjects]
    assert not [subject for subject in every if "*" in subject or ">" in subject]


def test_the_streams_share_the_disk() -> None:
    assert sum(stream.percent for stream in STREAMS) == 100


def test_no_subject_and_no_durable_is_named_twice() -> None:
    subjects = [subject for stream in STREAMS for subject in stream.subjects]
    durables = [durable.name for stream in STREAMS for durable in stream.durables]
    assert len(set(subjects)) == len(subjects)
    assert len(set(durables)) == len(durables)


def test_bulk_is_handed_out_in_smaller_helpings_than_premium() -> None:
    pending = {durable.subject: durable.max_ack_pending for durable in SCANS.durables}
    assert pending[scan_accepted(Lane.BULK)] * 4 <= pending[scan_accepted(Lane.STANDARD)]
    assert pending[scan_accepted(Lane.STANDARD)] < pending[scan_accepted(Lane.PREMIUM)]
