from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from google.protobuf import timestamp_pb2
from scanmesh.ingest.v1 import query_pb2

from services.chassis import wire
from services.chassis.errors import InvalidArgument, PermissionDenied
from tests.fakes.identities import SCANNER_ID
from tests.fakes.scans import scan_of
from tests.rpc.ingest.query.conftest import NOW
from tests.servers.record import spread
from tests.servers.rpc import failure

OTHER_SCANNER = "0190163d-8694-739b-aea5-000000000002"
DAY = timedelta(days=1)


def request(**others):
    return query_pb2.ListScansRequest(**others)


def ids(answer):
    return [scan.scan_id for scan in answer.scans]


async def pages(scans, metadata, between=None, **others):
    """Ask for page after page, and answer the ids of each."""
    listed, token = [], ""
    while token or not listed:
        answer = await scans.ListScans(request(page_token=token, **others), metadata=metadata)
        listed.append(ids(answer))
        token = answer.next_page_token
        if between is not None:
            await between()
    return listed


async def test_scans_are_listed_by_accept_time_newest_first(scans, record, viewer):
    times = spread(NOW, 5, timedelta(hours=9))
    sent = await record.scans([times[place] for place in (3, 0, 4, 1, 2)])
    answer = await scans.ListScans(request(), metadata=viewer)
    assert ids(answer) == [sent[place].scan_id for place in (1, 3, 4, 0, 2)]
    assert answer.next_page_token == ""
    assert answer.scans[0].accept_time == wire.timestamp(NOW)


async def test_scans_of_one_time_are_listed_page_by_page_without_gap_or_repeat(scans, record, viewer):
    sent = await record.scans([NOW] * 7)
    newest = sorted((scan.scan_id for scan in sent), reverse=True)
    assert await pages(scans, viewer, page_size=3) == [newest[:3], newest[3:6], newest[6:]]


async def test_pages_reach_back_over_days_and_gaps(scans, record, viewer):
    ages = [0, 0.2, 1, 2, 2.1, 30, 31, 89.9]
    sent = await record.scans([NOW - age * DAY for age in ages])
    listed = await pages(scans, viewer, page_size=3)
    assert [len(page) for page in listed] == [3, 3, 2]
    assert list(itertools.chain(*listed)) == [scan.scan_id for scan in sent]


async def test_a_page_that_is_just_full_is_the_last_one(scans, record, viewer):
    await record.scans(spread(NOW, 3, DAY))
    answer = await scans.ListScans(request(page_size=3), metadata=viewer)
    assert (len(answer.scans), answer.next_page_token) == (3, "")


async def test_what_is_recorded_meanwhile_moves_nothing_from_page_to_page(scans, record, viewer):
    sent = await record.scans(spread(NOW, 6, timedelta(minutes=1)))

    async def more():
        await record.scan(NOW + timedelta(seconds=1))

    listed = await pages(scans, viewer, more, page_size=2)
    assert list(itertools.chain(*listed)) == [scan.scan_id for scan in sent]


@pytest.mark.parametrize("today", [20, 9, 3])
async def test_a_page_ends_before_it_is_too_large_for_an_answer(scans, record, viewer, today):
    """Twenty scans of 250 KiB would be 5 MiB, and gRPC's clients take 4. Nine are more than 2."""
    sent = [scan_of(250 * 1024) for _ in range(20)]
    for number, scan in enumerate(sent):
        age = timedelta(minutes=number) if number < today else number * DAY
        await record.scan(NOW - age, sent=scan)
    listed = await pages(scans, viewer)
    assert [len(page) for page in listed] == [9, 9, 2]
    assert list(itertools.chain(*listed)) == [scan.scan_id for scan in sent]


async def test_filters_narrow_the_list(scans, record, viewer):
    sent = await record.scans(spread(NOW, 4, timedelta(hours=1)))
    other = await record.scan(NOW, scanner_id=OTHER_SCANNER, kind="document")
    between = request(
        start_time=wire.timestamp(NOW - timedelta(hours=2)),
        end_time=wire.timestamp(NOW - timedelta(hours=0.5)),
    )
    assert ids(await scans.ListScans(between, metadata=viewer)) == [sent[1].scan_id, sent[2].scan_id]
    for narrowed in (request(scanner_id=OTHER_SCANNER), request(kind="document")):
        assert ids(await scans.ListScans(narrowed, metadata=viewer)) == [other.scan_id]
    assert ids(await scans.ListScans(request(kind="inventory"), metadata=viewer)) == []


async def test_start_is_inclusive_and_end_exclusive(scans, record, viewer):
    await record.scan(NOW)
    tick = timedelta(microseconds=1)
    at = [request(start_time=wire.timestamp(NOW)), request(end_time=wire.timestamp(NOW + tick))]
    beside = [request(start_time=wire.timestamp(NOW + tick)), request(end_time=wire.timestamp(NOW))]
    assert [len(ids(await scans.ListScans(each, metadata=viewer))) for each in at] == [1, 1]
    assert [len(ids(await scans.ListScans(each, metadata=viewer))) for each in beside] == [0, 0]


async def test_the_beginning_and_the_end_of_time_are_taken(scans, record, viewer):
    sent = await record.scan(NOW)
    ever = request(
        start_time=timestamp_pb2.Timestamp(seconds=-62_135_596_800),
        end_time=timestamp_pb2.Timestamp(seconds=253_402_300_799, nanos=999_999_999),
    )
    assert ids(await scans.ListScans(ever, metadata=viewer)) == [sent.scan_id]


async def test_scans_older_than_the_plans_retention_are_not_listed(scans, record, viewer, known_plans):
    sent = await record.scans(spread(NOW, 4, DAY))
    known_plans.retention = 2 * DAY
    assert ids(await scans.ListScans(request(), metadata=viewer)) == [scan.scan_id for scan in sent[:3]]
    older = request(start_time=wire.timestamp(NOW - 9 * DAY))
    assert len(ids(await scans.ListScans(older, metadata=viewer))) == 3


async def test_a_scanner_sees_its_own_in_any_case(scans, record, as_scanner):
    sent = await record.scan(NOW)
    await record.scan(NOW, scanner_id=OTHER_SCANNER)
    own = as_scanner(SCANNER_ID)
    assert ids(await scans.ListScans(request(), metadata=own)) == [sent.scan_id]
    assert ids(await scans.ListScans(request(scanner_id=SCANNER_ID), metadata=own)) == [sent.scan_id]
    assert ids(await scans.ListScans(request(scanner_id=OTHER_SCANNER), metadata=own)) == []


async def test_companies_are_kept_apart(scans, record, stranger, platform, company_id):
    sent = await record.scan(NOW)
    assert ids(await scans.ListScans(request(), metadata=stranger)) == []
    error = await failure(scans.ListScans(request(company_id=company_id), metadata=stranger))
    assert type(error) is PermissionDenied
    named = await scans.ListScans(request(company_id=company_id), metadata=platform)
    assert ids(named) == [sent.scan_id]


async def test_a_token_of_another_company_shows_nothing_of_it(scans, record, viewer, stranger):
    await record.scans(spread(NOW, 3, DAY))
    token = (await scans.ListScans(request(page_size=1), metadata=viewer)).next_page_token
    assert token
    assert ids(await scans.ListScans(request(page_token=token), metadata=stranger)) == []


async def test_everything_wrong_is_told_at_once(scans, viewer):
    wrong = request(
        scanner_id="gate",
        kind="Bar\0code",
        start_time=timestamp_pb2.Timestamp(seconds=2**60),
        end_time=timestamp_pb2.Timestamp(nanos=-1),
        page_size=-1,
        page_token="nonsense",
    )
    error = await failure(scans.ListScans(wrong, metadata=viewer))
    assert type(error) is InvalidArgument
    assert {each.field for each in error.violations} == {
        "scanner_id",
        "kind",
        "start_time",
        "end_time",
        "page_size",
        "page_token",
    }


@pytest.mark.parametrize("seconds", [0, -1])
async def test_an_end_that_is_not_later_than_the_start_is_refused(scans, viewer, seconds):
    end = wire.timestamp(NOW + timedelta(seconds=seconds))
    error = await failure(
        scans.ListScans(request(start_time=wire.timestamp(NOW), end_time=end), metadata=viewer)
    )
    assert [each.field for each in error.violations] == ["end_time"]
