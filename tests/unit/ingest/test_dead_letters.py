from __future__ import annotations

from services.chassis.bus import MAX_PAYLOAD_BYTES
from services.ingest import dead_letters
from services.ingest.publisher import MAX_MESSAGE_BYTES
from tests.stores.ingest.queues import NOW


def unreadable(payload):
    return dead_letters.unreadable(dead_letters.RECORDER, "", payload, 3, NOW)


def test_the_letter_of_the_largest_garbage_fits_on_the_bus():
    letter = unreadable(b"\xff" * MAX_PAYLOAD_BYTES)
    assert len(dead_letters.outgoing(letter).payload) < MAX_PAYLOAD_BYTES


def test_of_what_a_publisher_may_have_written_nothing_is_cut():
    payload = b"\xff" * MAX_MESSAGE_BYTES
    assert unreadable(payload).payload == payload


def test_messages_without_an_id_are_told_apart_by_all_their_bytes():
    one, two = (unreadable(b"\xff" * MAX_MESSAGE_BYTES + last) for last in (b"1", b"2"))
    assert one.payload == two.payload
    assert one.dead_letter_id != two.dead_letter_id
