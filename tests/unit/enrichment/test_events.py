"""What is told of results: nothing but the event and the stored results decides it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.enrichment.v1 import enrichment_pb2, events_pb2
from scanmesh.ingest.v1 import events_pb2 as ingest_pb2

from services.chassis.derived import derived_id
from services.chassis.ids import uuid7
from services.chassis.subjects import DEAD_LETTER_WRITTEN, SCANS_TALLIED, Kind, Lane
from services.enrichment import events
from services.enrichment import recorded as rules
from services.enrichment.recorded import Source
from services.enrichment.results import Result, State
from tests.fakes.identities import COMPANY_ID, SCANNER_ID
from tests.fakes.recorded import ACCEPTED, placed, recorded
from tests.fakes.scans import scan

SOURCE = Source(Kind.BARCODE, Lane.STANDARD)
ENRICHED_AT = datetime(2026, 11, 25, 10, 30, 16, 123_456, UTC)


def read(event):
    return rules.read(event.SerializeToString())


def stored(event, *failed):
    """The rows of an event's scans; those with an index in `failed` have failed."""
    return [row(event, each, failed=each.index in failed) for each in event.scans]


def row(event, each, *, failed):
    made = enrichment_pb2.Enrichment(product=enrichment_pb2.Product(gtin=f"{each.index:014}"))
    return Result(
        company_id=each.company_id,
        scan_id=each.scan_id,
        recorded_id=event.event_id,
        index=each.index,
        kind=Kind.BARCODE,
        scanner_id=each.scanner_id,
        region=each.region,
        state=State.FAILED if failed else State.OK,
        tries=3 if failed else 0,
        enrich_time=ENRICHED_AT,
        accept_time=each.accept_time,
        result=None if failed else made.SerializeToString(),
    )


def of(told, subject, message):
    return [message.FromString(each.payload) for each in told.events if each.subject == subject]


def enriched(told, company_id=COMPANY_ID):
    return of(told, f"scan.enriched.v1.barcode.{company_id}", events_pb2.ScansEnriched)


def tallied(told):
    return of(told, SCANS_TALLIED, events_pb2.ScansTallied)


def letters(told):
    assert {each.subject for each in told.letters} <= {DEAD_LETTER_WRITTEN}
    return [ingest_pb2.DeadLetterWritten.FromString(each.payload) for each in told.letters]


def test_watchers_are_told_the_stored_result():
    event = read(recorded(scan()))
    (told,) = enriched(events.derive(event, SOURCE, stored(event)))
    (each,) = told.scans
    assert (told.company_id, each.scanner_id) == (COMPANY_ID, SCANNER_ID)
    assert each.enrichment.scan_id == str(event.scans[0].scan_id)
    assert (each.enrichment.kind, each.enrichment.product.gtin) == ("barcode", "0" * 14)
    assert each.enrichment.enrich_time.ToDatetime(UTC) == ENRICHED_AT


def test_the_same_event_and_rows_make_the_same_bytes_under_the_same_ids_in_whatever_order_rows_come():
    event = read(recorded(*(scan() for _ in range(5))))
    rows = stored(event, 2, 3)
    assert events.derive(event, SOURCE, rows) == events.derive(event, SOURCE, rows[::-1])


def test_the_order_of_the_scans_is_kept():
    event = read(recorded(scan(), scan(), scan()))
    (told,) = enriched(events.derive(event, SOURCE, stored(event)[::-1]))
    assert [each.enrichment.product.gtin[-1] for each in told.scans] == ["0", "1", "2"]


def test_the_message_id_is_the_events_id_and_no_two_are_alike():
    event = recorded(scan(), scan())
    others = recorded(scan(), scan(), company_id=8, first_index=2)
    event.submissions.add().CopyFrom(others.submissions[0])
    told = events.derive(read(event), SOURCE, stored(read(event), 1, 3))
    ids = [each.message_id for each in (*told.events, *told.letters)]
    assert len(set(ids)) == len(ids) == 5  # of each company its scans; the tally; two letters
    named = [each.event_id for each in (*enriched(told), *enriched(told, 8), *tallied(told))]
    assert sorted(named + [each.dead_letter_id for each in letters(told)]) == sorted(ids)


@pytest.mark.parametrize(
    "changed",
    [{"event_id": str(uuid7())}, {"derivation_version": 2}],
)
def test_another_event_or_version_has_other_ids(changed):
    one = recorded(scan())
    other = recorded(one.submissions[0].scans[0].scan, **{"event_id": one.event_id, **changed})
    ids = [
        {each.message_id for each in events.derive(read(event), SOURCE, stored(read(event))).events}
        for event in (one, other)
    ]
    assert ids[0].isdisjoint(ids[1])


def test_rows_of_another_event_are_not_told():
    event = read(recorded(scan(), scan()))
    mine, others = stored(event)
    told = events.derive(event, SOURCE, [mine, replace(others, recorded_id=uuid7())])
    assert [len(each.scans) for each in enriched(told)] == [1]
    assert [each.enriched for each in tallied(told)[0].tallies] == [1]


def test_a_scan_is_joined_by_its_place_as_well():
    event = recorded(scan())
    event.submissions[0].scans.extend(placed([event.submissions[0].scans[0].scan], 1))
    first = stored(read(event))[0]
    told = events.derive(read(event), SOURCE, [first])
    assert [each.enriched for each in tallied(told)[0].tallies] == [1]


def test_an_event_that_won_nothing_tells_nothing():
    event = read(recorded(scan()))
    assert events.derive(event, SOURCE, []) == events.Told([], [])


def test_scans_are_counted_by_row_of_the_statistics():
    early = Timestamp(seconds=int((ACCEPTED - timedelta(hours=1)).timestamp()))
    event = recorded(scan(), scan(), scan(scan_time=early))
    event.submissions.add().CopyFrom(recorded(scan(), company_id=8, region="south").submissions[0])
    event.submissions[1].scans[0].index = 3
    (told,) = tallied(events.derive(read(event), SOURCE, stored(read(event), 1)))
    accepted = int(ACCEPTED.timestamp()) // 60 * 60
    assert [
        (each.company_id, each.region, each.minute_time.seconds, each.enriched, each.failed)
        for each in told.tallies
    ] == [
        (COMPANY_ID, "local", accepted - 3600, 1, 0),
        (COMPANY_ID, "local", accepted, 1, 1),
        (8, "south", accepted, 1, 0),
    ]
    assert {(each.scanner_id, each.kind) for each in told.tallies} == {(SCANNER_ID, "barcode")}


def test_a_failed_scan_has_a_letter_that_holds_all_a_replay_needs():
    failing = scan(attributes={"k": "v"})
    event = read(recorded(scan(), failing, region="north"))
    told = events.derive(event, SOURCE, stored(event, 1))
    (letter,) = letters(told)
    assert letter.scan == failing
    assert (letter.message_id, letter.index, letter.lane) == (str(event.event_id), 1, "standard")
    assert (letter.company_id, letter.scanner_id, letter.region) == (COMPANY_ID, SCANNER_ID, "north")
    assert (letter.consumer, letter.reason, letter.tries) == ("enrichment_barcode", "INTERNAL", 3)
    assert letter.accept_time.ToDatetime(UTC) == ACCEPTED
    assert letter.fail_time.ToDatetime(UTC) == ENRICHED_AT
    assert letter.dead_letter_id == str(
        derived_id("LETTER", "enrichment_barcode", str(event.event_id), 1, "INTERNAL")
    )
    assert [len(each.scans) for each in enriched(told)] == [1]


def test_parts_are_fixed_ranges_of_places_whatever_was_won():
    event = read(recorded(*(scan() for _ in range(3)), first_index=events.SCANS_IN_PART - 1))
    rows = stored(event)
    whole, partly = (events.derive(event, SOURCE, some) for some in (rows, rows[1:]))
    assert [len(each.scans) for each in enriched(whole)] == [1, 2]
    assert enriched(partly) == enriched(whole)[1:]
    assert tallied(partly) == tallied(whole)[1:]


def test_the_largest_event_fits_into_a_message():
    event = read(recorded(*(scan() for _ in range(events.SCANS_IN_PART)), region="r" * 64))
    product = enrichment_pb2.Product(
        gtin="0" * 14, format="upc_e", symbology="s" * 32, gs1_prefix_country="DE", gs1_prefix_range="r" * 32
    )
    made = enrichment_pb2.Enrichment(product=product).SerializeToString()
    told = events.derive(event, SOURCE, [replace(each, result=made) for each in stored(event)])
    assert max(len(each.payload) for each in told.events) < 2**20 // 3


def replay(failed_index=4):
    return read(recorded(scan(), first_index=failed_index, replayed_event_id=str(uuid7())))


def old_letter(event):
    return str(
        derived_id("LETTER", "enrichment_barcode", str(event.replayed_id), event.scans[0].index, "INTERNAL")
    )


def test_a_replay_takes_its_failure_back_and_revives_its_letter():
    event = replay()
    told = events.derive(event, SOURCE, stored(event))
    (tally,) = tallied(told)
    assert [(each.enriched, each.failed) for each in tally.tallies] == [(1, -1)]
    assert [(each.company_id, each.dead_letter_id) for each in tally.revived_letters] == [
        (COMPANY_ID, old_letter(event))
    ]
    assert len(enriched(told)) == 1


def test_a_replay_that_fails_again_counts_nothing_and_replaces_the_letter():
    event = replay()
    told = events.derive(event, SOURCE, stored(event, 4))
    (tally,) = tallied(told)
    assert not tally.tallies
    assert [each.dead_letter_id for each in tally.revived_letters] == [old_letter(event)]
    (letter,) = letters(told)
    assert letter.dead_letter_id != old_letter(event)
    assert letter.message_id == str(event.event_id)


def test_what_nobody_can_read_is_a_letter_of_no_company_with_its_bytes():
    told = events.unreadable(b"\xff", SOURCE, message_id="m-1", tries=3, now=ENRICHED_AT)
    letter = ingest_pb2.DeadLetterWritten.FromString(told.payload)
    assert (letter.company_id, letter.payload, letter.message_id, letter.tries) == (0, b"\xff", "m-1", 3)
    assert told.message_id == letter.dead_letter_id
