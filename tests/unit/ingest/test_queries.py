from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scanmesh.ingest.v1 import query_pb2

from services.chassis import paging
from services.chassis.errors import InvalidArgument
from services.ingest import queries
from services.ingest.position import Position

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OWN, OTHER = UUID(int=1), UUID(int=2)

times = st.datetimes(datetime(1971, 1, 1), datetime(2285, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def parse(*, oldest=NOW - 90 * DAY, own=None, **fields):
    return queries.scans(query_pb2.ListScansRequest(**fields), oldest=oldest, now=NOW, own=own)


@given(times, st.uuids())
def test_a_position_is_read_as_it_was_written(time, row_id):
    position = Position(time, row_id)
    assert Position.read(str(position)) == position


@given(st.text(max_size=80))
def test_whatever_comes_as_a_position_is_read_or_is_none(text):
    Position.read(text)


@pytest.mark.parametrize(
    "text", ["", ":", f"1.5:{OWN}", f"-1:{OWN}", f"٣:{OWN}", "1:x", f"{10**16}:{OWN}", f"1:{OWN}:1", str(OWN)]
)
def test_what_is_no_position_is_none(text):
    assert Position.read(text) is None


@given(
    st.integers(0, 400 * 86_400),
    st.one_of(st.none(), st.integers(-10, 500 * 86_400)),
)
def test_windows_cover_what_is_asked_for_once_newest_first(age, after):
    token = "" if after is None else paging.token("scans", str(Position(NOW - timedelta(seconds=after), OWN)))
    query = parse(oldest=NOW - timedelta(seconds=age), page_token=token)
    windows = list(query.windows())
    newest = query.end if after is None else NOW - timedelta(seconds=after, microseconds=-1)
    if newest <= query.start:
        assert windows == []
        return
    assert (windows[0][1], windows[-1][0]) == (newest, query.start)
    assert all(low < high for low, high in windows)
    assert all(later[0] == earlier[1] for later, earlier in pairwise(windows))


def test_the_longest_plan_is_looked_through_in_a_few_steps():
    windows = list(parse(oldest=NOW - 400 * DAY).windows())
    assert len(windows) == 8
    assert windows[0] == (NOW - DAY, NOW + DAY)


def test_a_scanner_may_only_narrow_what_it_sees():
    assert parse(scanner_id=str(OTHER)).scanner_ids == {OTHER}
    assert parse(own=OWN).scanner_ids == {OWN}
    assert parse(scanner_id=str(OWN), own=OWN).scanner_ids == {OWN}
    assert parse(scanner_id=str(OTHER), own=OWN).scanner_ids == {OWN, OTHER}


def test_a_token_of_another_list_is_refused():
    with pytest.raises(InvalidArgument):
        parse(page_token=paging.token("dead_letters", str(Position(NOW, OWN))))
