"""The digest tells content from content: the same for every resend, another one for every other scan."""

from __future__ import annotations

from itertools import combinations

from scanmesh.ingest.v1 import scan_pb2

from services.ingest.digest import digest

SCAN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def made(**fields):
    barcode = {"data": "4006381333931", **fields.pop("barcode", {})}
    return scan_pb2.Scan(**{"scan_id": SCAN_ID, "barcode": barcode, **fields})


CONTENTS = [
    made(),
    made(location="a"),
    made(operator="a"),
    made(location="ab"),
    made(location="a", operator="b"),
    made(attributes={"a": "b"}),
    made(attributes={"b": "a"}),
    made(attributes={"a": "", "b": ""}),
    made(attributes={"ab": ""}),
    made(attributes={"barcode": "data"}),
    made(scan_time={"seconds": 1}),
    made(scan_time={"seconds": 1, "nanos": 1}),
    made(scan_time={}),
    made(barcode={"data": "1"}),
    made(barcode={"format": "a"}),
    made(barcode={"symbology_identifier": "a"}),
]


def test_other_content_has_another_digest():
    for one, two in combinations(CONTENTS, 2):
        assert digest(one) != digest(two), (one, two)


def test_what_the_server_adds_is_no_content():
    added = made(
        company_id=1,
        scanner_id=SCAN_ID,
        kind="barcode",
        lane="bulk",
        region="local",
        accept_time={"seconds": 1},
    )
    assert digest(added) == digest(made()) == digest(made(scan_id=SCAN_ID.replace("0", "1")))


def test_the_order_of_attributes_is_none():
    names = [str(number) for number in range(64)]
    assert digest(made(attributes=dict.fromkeys(names, "v"))) == digest(
        made(attributes=dict.fromkeys(reversed(names), "v"))
    )


def test_it_is_this_number_for_good():
    """Rows of 37 days hold it: another way to compute it would make every resend a SCAN_ID_REUSED."""
    content = made(location="Gate", operator="Kim", attributes={"b": "2", "a": "ä"}, scan_time={"seconds": 5})
    assert digest(content) == -1_978_126_167_783_450_078
    assert -(2**63) <= digest(content) < 2**63
