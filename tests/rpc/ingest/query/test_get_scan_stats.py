from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf import timestamp_pb2
from scanmesh.ingest.v1 import query_pb2

from services.chassis import wire
from services.chassis.errors import InvalidArgument, PermissionDenied
from services.ingest import intervals
from services.ingest.tables import rollup_hours, rollup_minutes
from tests.fakes.identities import SCANNER_ID
from tests.servers.rpc import failure

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def request(bucket, start, end, **others):
    return query_pb2.GetScanStatsRequest(
        bucket=bucket, start_time=wire.timestamp(start), end_time=wire.timestamp(end), **others
    )


def counted(answer):
    return [
        (each.start_time.ToDatetime(UTC), each.kind, each.region, each.recorded, each.enriched, each.failed)
        for each in answer.buckets
    ]


@pytest.fixture
async def minutes(record):
    """Counts around midnight: three minutes before it, two after, one of another region, one of another kind."""
    await record.counted(
        rollup_minutes,
        {"minute_time": MIDNIGHT - 61 * MINUTE, "recorded": 1},
        {"minute_time": MIDNIGHT - 2 * MINUTE, "recorded": 2, "enriched": 1, "failed": 1},
        {"minute_time": MIDNIGHT - MINUTE, "recorded": 4},
        {"minute_time": MIDNIGHT, "recorded": 8},
        {"minute_time": MIDNIGHT + MINUTE, "recorded": 16},
        {"minute_time": MIDNIGHT + MINUTE, "recorded": 32, "region": "eu_west_1"},
        {"minute_time": MIDNIGHT + MINUTE, "recorded": 64, "kind": "document"},
    )


async def test_minutes_are_counted_each(scans, minutes, viewer):
    wanted = request("minute", MIDNIGHT - MINUTE, MIDNIGHT + 2 * MINUTE)
    answer = await scans.GetScanStats(wanted, metadata=viewer)
    assert counted(answer) == [
        (MIDNIGHT - MINUTE, "barcode", "local", 4, 0, 0),
        (MIDNIGHT, "barcode", "local", 8, 0, 0),
        (MIDNIGHT + MINUTE, "barcode", "eu_west_1", 32, 0, 0),
        (MIDNIGHT + MINUTE, "barcode", "local", 16, 0, 0),
        (MIDNIGHT + MINUTE, "document", "local", 64, 0, 0),
    ]
    assert {each.scanner_id for each in answer.buckets} == {""}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0, 60), (0, 0)),
        ((59.999999, 60), (0, 0)),
        ((-0.000001, 60), (-1, 0)),
        ((0, 60.000001), (0, 1)),
        ((0, 0.000001), (0, 0)),
    ],
)
async def test_the_interval_of_the_start_is_counted_and_none_that_begins_at_the_end(
    scans, minutes, viewer, span, expected
):
    start, end = (MIDNIGHT + timedelta(seconds=seconds) for seconds in span)
    rows = counted(await scans.GetScanStats(request("minute", start, end), metadata=viewer))
    assert (rows[0][0], rows[-1][0]) == tuple(MIDNIGHT + minutes * MINUTE for minutes in expected)


async def test_hours_and_days_are_summed_in_utc(scans, minutes, viewer):
    hours = request("hour", MIDNIGHT - 2 * HOUR, MIDNIGHT + HOUR, kind="barcode", region="local")
    assert counted(await scans.GetScanStats(hours, metadata=viewer)) == [
        (MIDNIGHT - 2 * HOUR, "barcode", "local", 1, 0, 0),
        (MIDNIGHT - HOUR, "barcode", "local", 6, 1, 1),
        (MIDNIGHT, "barcode", "local", 24, 0, 0),
    ]
    days = request("day", MIDNIGHT - HOUR, MIDNIGHT + HOUR, kind="barcode", region="local")
    assert counted(await scans.GetScanStats(days, metadata=viewer)) == [
        (MIDNIGHT - DAY, "barcode", "local", 7, 1, 1),
        (MIDNIGHT, "barcode", "local", 24, 0, 0),
    ]


async def test_a_scanner_is_counted_by_the_hour_and_the_day(scans, record, viewer):
    scanner = {"scanner_id": UUID(SCANNER_ID)}
    await record.counted(
        rollup_hours,
        scanner | {"hour_time": MIDNIGHT, "recorded": 1},
        scanner | {"hour_time": MIDNIGHT + HOUR, "recorded": 2, "enriched": 2},
        {"scanner_id": UUID(int=1), "hour_time": MIDNIGHT, "recorded": 99},
    )
    wanted = request("day", MIDNIGHT, MIDNIGHT + DAY, scanner_id=SCANNER_ID)
    answer = await scans.GetScanStats(wanted, metadata=viewer)
    assert counted(answer) == [(MIDNIGHT, "barcode", "local", 3, 2, 0)]
    assert answer.buckets[0].scanner_id == SCANNER_ID


async def test_companies_are_kept_apart(scans, minutes, stranger, platform, company_id):
    wanted = request("minute", MIDNIGHT, MIDNIGHT + MINUTE)
    assert counted(await scans.GetScanStats(wanted, metadata=stranger)) == []
    wanted.company_id = company_id
    assert type(await failure(scans.GetScanStats(wanted, metadata=stranger))) is PermissionDenied
    assert len(counted(await scans.GetScanStats(wanted, metadata=platform))) == 1


async def test_scanners_are_not_told(scans, as_scanner):
    wanted = request("minute", MIDNIGHT, MIDNIGHT + MINUTE)
    error = await failure(scans.GetScanStats(wanted, metadata=as_scanner(SCANNER_ID)))
    assert type(error) is PermissionDenied


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        (query_pb2.GetScanStatsRequest(), ["bucket", "start_time", "end_time"]),
        (request("week", MIDNIGHT, MIDNIGHT), ["bucket", "end_time"]),
        (request("minute", MIDNIGHT, MIDNIGHT + HOUR, scanner_id=SCANNER_ID), ["scanner_id"]),
        (request("hour", MIDNIGHT, MIDNIGHT + HOUR, scanner_id="x"), ["scanner_id"]),
        (request("hour", MIDNIGHT, MIDNIGHT + HOUR, kind="\0", region="EU"), ["kind", "region"]),
        (request("minute", MIDNIGHT, MIDNIGHT + 1_501 * MINUTE), ["end_time"]),
        (request("hour", MIDNIGHT, MIDNIGHT + 1_501 * HOUR), ["end_time"]),
        (request("day", MIDNIGHT, MIDNIGHT + 401 * DAY), ["end_time"]),
        (
            query_pb2.GetScanStatsRequest(
                bucket="day",
                start_time=timestamp_pb2.Timestamp(seconds=-62_135_596_800),
                end_time=timestamp_pb2.Timestamp(seconds=253_402_300_799),
            ),
            ["end_time"],
        ),
    ],
)
async def test_everything_wrong_is_told_at_once(scans, viewer, wrong, fields):
    error = await failure(scans.GetScanStats(wrong, metadata=viewer))
    assert type(error) is InvalidArgument
    assert [each.field for each in error.violations] == fields


@pytest.mark.parametrize(("bucket", "length"), [("minute", 1_500 * MINUTE), ("day", 400 * DAY)])
async def test_the_longest_span_is_taken(scans, viewer, bucket, length):
    answer = await scans.GetScanStats(request(bucket, MIDNIGHT, MIDNIGHT + length), metadata=viewer)
    assert list(answer.buckets) == []


async def test_more_than_an_answer_carries_is_refused_with_a_way_out(scans, record, viewer):
    rows = [
        {"minute_time": MIDNIGHT + minute * MINUTE, "region": f"r{region:063}", "recorded": 2**62}
        for minute, region in itertools.product(range(1_000), range(20))
    ]
    await record.counted(rollup_minutes, *rows)
    wanted = request("minute", MIDNIGHT, MIDNIGHT + 1_000 * MINUTE)
    answer = await scans.GetScanStats(wanted, metadata=viewer)
    assert len(answer.buckets) == intervals.MAX_COUNTS
    assert answer.ByteSize() < 4 * 2**20
    await record.counted(rollup_minutes, {"minute_time": MIDNIGHT, "recorded": 1})
    error = await failure(scans.GetScanStats(wanted, metadata=viewer))
    assert "one region" in error.violations[0].description
