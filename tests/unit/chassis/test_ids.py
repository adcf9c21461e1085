from __future__ import annotations

import re
import time
from uuid import RFC_4122

from services.chassis import ids


def test_uuid7_is_one_of_rfc_9562() -> None:
    for minted in (ids.uuid7() for _ in range(100)):
        assert (minted.version, minted.variant) == (7, RFC_4122)


def test_uuid7_tells_when_it_was_minted() -> None:
    before = time.time_ns() // 1_000_000
    minted = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert before <= minted.int >> 80 <= after


def test_ids_of_a_later_millisecond_sort_later() -> None:
    minted = [ids.uuid7() for _ in range(2_000)]
    times = [each.int >> 80 for each in minted]
    assert times == sorted(times)
    assert len(set(minted)) == len(minted)


def test_message_ids_are_128_random_bits() -> None:
    minted = {ids.message_id() for _ in range(1_000)}
    assert len(minted) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in minted)
