from __future__ import annotations

from datetime import timedelta

import pytest

from services.ingest import accepted, floor
from services.ingest.floor import Floor
from tests.fakes.scans import scan
from tests.stores.ingest.queues import NOW, Queues, submission

SECOND = timedelta(seconds=1)


def message(*ages):
    """A message of sequence 1 with a scan of each age, in seconds."""
    delivery = Queues().accept(*(submission(1, scan(), at=NOW - age * SECOND) for age in ages))
    return accepted.read(delivery.message_id, delivery.sequence, delivery.subject, delivery.payload)


@pytest.mark.parametrize(
    ("first_sequence", "ages", "late"),
    [(2, [1], True), (2, [0], False), (1, [1], False), (2, [1, 2], True), (2, [1, 0], False)],
)
def test_late_is_what_is_older_than_the_floor_in_both(first_sequence, ages, late):
    assert Floor(first_sequence, NOW).is_above(message(*ages)) == late


def test_without_a_floor_nothing_is_late():
    assert not floor.NONE.is_above(message(1))
