"""Whatever is accepted can be recorded, and is read back as it was sent: nothing is refused after acceptance."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from google.protobuf import timestamp_pb2
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from scanmesh.ingest.v1 import scan_pb2

from services.chassis import ids, wire
from services.ingest import legacy, scan, tables
from services.ingest.scan import MAX_AGE, MAX_AHEAD, MAX_LEGACY_ATTRIBUTE_VALUE
from tests.stores.ingest.queues import NOW, SCANNER, submission

# A few examples of many scans each: a transaction costs the same for one.
EACH = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ANY_TEXT = TEXT | st.sampled_from(
    ["\x01", "\ufeff", "\u202e", "'; --", "{}", "\\", "\U0010ffff" * 256, "é" * 4_296]
)
SECONDS = st.integers(-MAX_AGE // timedelta(seconds=1), MAX_AHEAD // timedelta(seconds=1))


@st.composite
def times(draw):
    time = wire.timestamp(NOW + timedelta(seconds=draw(SECONDS)))
    return timestamp_pb2.Timestamp(seconds=time.seconds, nanos=draw(st.integers(0, 999_999_999)))


@st.composite
def scans(draw):
    return scan_pb2.Scan(
        scan_id=str(ids.uuid7()),  # not drawn: an example that comes again would be another scan's content
        scan_time=draw(st.none() | times()),
        location=draw(ANY_TEXT),
        operator=draw(ANY_TEXT),
        attributes=draw(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=5)),
        barcode=scan_pb2.Barcode(
            data=draw(ANY_TEXT), symbology_identifier=draw(ANY_TEXT), format=draw(ANY_TEXT)
        ),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {"productId": TEXT | st.integers()},
    optional={
        "timestamp": ANY_TEXT
        | st.integers()
        | st.floats()
        | SECONDS.map(lambda s: (NOW + timedelta(seconds=s)).isoformat()),
        "location": JSON,
        "operator": JSON,
        "nested": JSON,
        "\u2028": JSON,
    },
).map(lambda body: json.dumps(body).encode())


def accepted(made, *, max_attribute_value=scan.MAX_ATTRIBUTE_VALUE):
    """The scan as the acceptor hands it on; None if it refuses it."""
    scan.normalise(made)
    return None if scan.violations(made, NOW, max_attribute_value=max_attribute_value) else made


def old_scan(body):
    try:
        made = legacy.parse(body, SCANNER, NOW)
    except legacy.InvalidArgument:
        return None
    return accepted(made, max_attribute_value=MAX_LEGACY_ATTRIBUTE_VALUE)


async def recorded_as_sent(recorder, queues, record, sent):
    sent = {made.scan_id: made for made in sent if made is not None}
    event(f"{len(sent) // 10 * 10} or more of 30 accepted")
    await recorder.handle([queues.accept(submission(record.company_id, *sent.values()))])
    rows = {str(row.scan_id): row for row in await record.rows(tables.scan_events)}
    assert queues.published.letters() == []
    for scan_id, made in sent.items():
        assert scan_pb2.Scan.FromString(rows[scan_id].content) == made


@EACH
@given(made=st.lists(scans(), min_size=30, max_size=30))
async def test_every_accepted_scan_is_recorded_as_it_was_sent(recorder, queues, record, made):
    await recorded_as_sent(recorder, queues, record, map(accepted, made))


@EACH
@given(bodies=st.lists(BODIES, min_size=30, max_size=30))
async def test_every_accepted_legacy_body_is_recorded(recorder, queues, record, bodies):
    await recorded_as_sent(recorder, queues, record, map(old_scan, bodies))


@pytest.mark.parametrize(
    "fields",
    [
        {"location": "\0"},
        {"attributes": {"\0": "v"}},
        {"attributes": {"k": "\0"}},
        {"barcode": {"data": "a\0"}},
        {"barcode": {"data": ""}},
        {"scan_time": {"seconds": 2**40}},
        {"scan_time": {"seconds": -(2**40)}},
    ],
)
def test_what_a_store_might_refuse_is_refused_at_the_door(fields):
    made = scan_pb2.Scan(**{"scan_id": str(ids.uuid7()), "barcode": {"data": "1"}, **fields})
    assert accepted(made) is None
