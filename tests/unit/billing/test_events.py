from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.billing.v1 import usage_pb2

from services.billing import events
from services.billing.ledger import UsageUnreadable
from services.billing.periods import CELL
from tests.fakes import billing


def read(*made):
    return events.read_usage(billing.payload(*made), "scans")


def test_an_event_is_read_into_an_entry_of_its_month():
    made = billing.event(company_id=9, quantity=5)
    (entry,) = read(made)
    assert (entry.company_id, str(entry.event_id), entry.quantity) == (9, made.event_id, 5)
    assert entry.period == "2026-11"
    assert entry.scanners == {billing.SCANNER_ID: 5}


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 4},  # not what the scanners sum up to
        {
            "quantity": 2**31,
            "scanners": [usage_pb2.ScannerUsage(scanner_id=billing.SCANNER_ID, quantity=2**31)],
        },
        {"company_id": 0},
        {"company_id": -1},
        {"event_id": ""},
        {"event_id": "0190163D-8694-739B-AEA5-966C26F8AD91"},
        {"meter": "documents"},
        {"kind": ""},
        {"kind": "bar\0code"},
        {"region": ""},
        {"lane": ""},
        {"cell_time": Timestamp(seconds=5)},
        {"cell_time": Timestamp(seconds=10, nanos=1_000)},
        {"cell_time": Timestamp(seconds=2**62)},
        {"scanners": []},
        {"scanners": [usage_pb2.ScannerUsage(scanner_id="x", quantity=3)]},
        {"scanners": [usage_pb2.ScannerUsage(scanner_id=billing.SCANNER_ID, quantity=3)] * 2},
    ],
    ids=str,
)
def test_an_event_that_breaks_a_rule_is_refused(change):
    made = billing.event()
    for name, value in change.items():
        if isinstance(value, list):
            del made.scanners[:]
            made.scanners.extend(value)
        elif isinstance(value, Timestamp):
            made.cell_time.CopyFrom(value)
        else:
            setattr(made, name, value)
    with pytest.raises(UsageUnreadable):
        read(billing.event(), made)


@pytest.mark.parametrize("payload", [b"\xff", b""])
def test_bytes_that_are_no_usage_are_refused(payload):
    with pytest.raises(UsageUnreadable):
        events.read_usage(payload, "scans")


def test_everything_that_is_wrong_is_told():
    with pytest.raises(UsageUnreadable) as refused:
        read(billing.event(), billing.event(company_id=0, region=""), billing.event(kind=""))
    told = str(refused.value)
    assert all(part in told for part in ("events[1]: company_id", "events[1]: region", "events[2]: kind"))


def test_a_digest_tells_every_field_apart():
    event_id = billing.event().event_id
    four = [usage_pb2.ScannerUsage(scanner_id=billing.SCANNER_ID, quantity=4)]
    another = [usage_pb2.ScannerUsage(scanner_id=event_id, quantity=3)]
    changes = [
        {},
        {"company_id": 8},
        {"quantity": 4, "scanners": four},
        {"cell_time": billing.CELL + CELL},
        {"kind": "other"},
        {"region": "other"},
        {"lane": "bulk"},
        {"scanners": another},
    ]
    made = [billing.event(event_id=event_id, **change) for change in changes]
    assert len({entry.digest for entry in read(*made)}) == len(changes)
    assert read(made[0])[0].digest == read(made[0])[0].digest
