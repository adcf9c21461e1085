"""A scan is won by the row of its message *and* its place in it."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.ingest.ownership import Decision, Owner, decide
from tests.fakes.scans import scan
from tests.unit.ingest.test_derivation import message, request

MINE, OTHERS = UUID("00112233445566778899aabbccddeeff"), UUID(int=9)
FIRST = scan(data="1")
RESENT = scan(data="1", scan_id="")
OTHER = scan(data="2", scan_id="")
for same in (RESENT, OTHER):
    same.scan_id = FIRST.scan_id


def decided(owner, *scans):
    read = message(request(*scans))
    digest = read.scans[0].digest
    rows = {} if owner is None else {read.scans[0].key: Owner(digest=digest, **owner)}
    return decide(read, rows)


@pytest.mark.parametrize(
    ("owner", "scans", "expected"),
    [
        ({"message_id": MINE, "index": 0, "dead": False}, [FIRST], {"won": {0}}),
        ({"message_id": MINE, "index": 0, "dead": True}, [FIRST], {"dead": {0}}),
        ({"message_id": MINE, "index": 0, "dead": False}, [FIRST, RESENT], {"won": {0}}),
        ({"message_id": MINE, "index": 0, "dead": False}, [FIRST, OTHER], {"won": {0}, "reused": {1}}),
        ({"message_id": MINE, "index": 0, "dead": True}, [FIRST, OTHER], {"dead": {0}, "reused": {1}}),
        ({"message_id": OTHERS, "index": 0, "dead": False}, [FIRST], {}),
        ({"message_id": OTHERS, "index": 0, "dead": True}, [FIRST], {}),
        (None, [FIRST], {}),
    ],
)
def test_a_scan_is(owner, scans, expected):
    assert decided(owner, *scans) == Decision(**{name: frozenset(value) for name, value in expected.items()})
