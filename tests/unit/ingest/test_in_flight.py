from __future__ import annotations

import pytest

from services.chassis.errors import Reason
from services.chassis.subjects import Lane
from services.ingest.in_flight import InFlight
from services.ingest.shedding import Overloaded


def test_there_is_room_for_exactly_as_much_as_was_said() -> None:
    in_flight = InFlight(10)
    with in_flight.hold(Lane.PREMIUM, 4), in_flight.hold(Lane.PREMIUM, 6):
        with pytest.raises(Overloaded) as refused, in_flight.hold(Lane.PREMIUM, 1):
            pass
        assert refused.value.reason is Reason.OVERLOADED
        assert refused.value.retry_delay
    with in_flight.hold(Lane.BULK, 10):
        pass


def test_what_one_lane_takes_leaves_room_for_those_before_it() -> None:
    in_flight = InFlight(10)
    with in_flight.hold(Lane.BULK, 5):
        with pytest.raises(Overloaded), in_flight.hold(Lane.BULK, 1):
            pass
        with in_flight.hold(Lane.STANDARD, 3):
            with pytest.raises(Overloaded), in_flight.hold(Lane.STANDARD, 1):
                pass
            with in_flight.hold(Lane.PREMIUM, 2):
                pass


def test_what_fails_gives_its_room_back() -> None:
    in_flight = InFlight(10)
    for _ in range(3):
        with pytest.raises(KeyError), in_flight.hold(Lane.PREMIUM, 10):
            raise KeyError
