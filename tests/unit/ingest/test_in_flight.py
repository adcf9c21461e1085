from __future__ import annotations

import pytest

from services.chassis.errors import Reason
from services.ingest.in_flight import InFlight, Overloaded


def test_there_is_room_for_exactly_as_much_as_was_said() -> None:
    in_flight = InFlight(10)
    with in_flight.hold(4), in_flight.hold(6):
        with pytest.raises(Overloaded) as refused, in_flight.hold(1):
            pass
        assert refused.value.reason is Reason.OVERLOADED
        assert refused.value.retry_delay
    with in_flight.hold(10):
        pass


def test_what_fails_gives_its_room_back() -> None:
    in_flight = InFlight(10)
    for _ in range(3):
        with pytest.raises(KeyError), in_flight.hold(10):
            raise KeyError
