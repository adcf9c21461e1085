"""Ids of scans that are loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from benchmarks.scale.history import Mint, ordered, scattered

TIME = datetime(2026, 11, 26, 12, tzinfo=UTC)
MANY = 10_000


@pytest.mark.parametrize(("mint", "version"), [(ordered, 7), (scattered, 4)])
def test_ids_are_uuids_of_their_version_and_none_comes_twice(mint: Mint, version: int):
    ids = [mint(TIME, number, MANY) for number in range(MANY)]
    assert {(each.version, each.variant) for each in ids} == {(version, "specified in RFC 4122")}
    assert len(set(ids)) == MANY


def test_an_ordered_id_begins_with_its_time():
    assert ordered(TIME, 0, 1).int >> 80 == TIME.timestamp() * 1_000


def test_scattered_ids_ascend_and_lie_in_all_parts_alike():
    ids = [scattered(TIME, number, MANY) for number in range(MANY)]
    assert ids == sorted(ids)
    below = sum(each < UUID(int=1 << 126) for each in ids)
    assert below == MANY / 4
