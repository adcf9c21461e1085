from __future__ import annotations

from services.chassis.subjects import SCANS, STREAMS, Lane, scan_accepted


def test_every_lane_has_a_subject_and_one_durable_of_exactly_it() -> None:
    subjects = [scan_accepted(lane) for lane in Lane]
    assert list(SCANS.subjects) == subjects
    assert [durable.subject for durable in SCANS.durables] == subjects


def test_nothing_is_filtered_by_a_wildcard() -> None:
    every = [subject for stream in STREAMS for subject in stream.subjects]
    every += [durable.subject for stream in STREAMS for durable in stream.durables]
    assert not [subject for subject in every if "*" in subject or ">" in subject]


def test_no_subject_and_no_durable_is_named_twice() -> None:
    subjects = [subject for stream in STREAMS for subject in stream.subjects]
    durables = [durable.name for stream in STREAMS for durable in stream.durables]
    assert len(set(subjects)) == len(subjects)
    assert len(set(durables)) == len(durables)


def test_bulk_is_handed_out_in_smaller_helpings_than_premium() -> None:
    pending = {durable.subject: durable.max_ack_pending for durable in SCANS.durables}
    assert pending[scan_accepted(Lane.BULK)] * 4 <= pending[scan_accepted(Lane.STANDARD)]
    assert pending[scan_accepted(Lane.STANDARD)] < pending[scan_accepted(Lane.PREMIUM)]
