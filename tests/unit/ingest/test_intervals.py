from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.intervals import Bucket

times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(times, st.sampled_from(Bucket))
def test_a_time_lies_in_the_interval_that_begins_for_it(time, bucket):
    begin = bucket.begin(time)
    assert begin <= time < begin + bucket.length


@pytest.mark.parametrize(
    ("bucket", "begin"),
    [
        (Bucket.MINUTE, datetime(1969, 12, 31, 23, 59, tzinfo=UTC)),
        (Bucket.HOUR, datetime(1969, 12, 31, 23, tzinfo=UTC)),
        (Bucket.DAY, datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_intervals_are_whole_before_1970_too(bucket, begin):
    assert bucket.begin(datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)) == begin
