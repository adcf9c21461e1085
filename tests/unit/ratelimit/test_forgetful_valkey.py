"""A Valkey that forgets: functions are told again, and a call that they are never there for fails."""

from __future__ import annotations

import pytest

from services.chassis.errors import Unavailable
from services.ratelimit.buckets import Buckets
from services.ratelimit.quota import Base, start_of
from services.ratelimit.valkey import FunctionsLost

NOVEMBER = start_of("2026-11")
BASE = Base(7, "2026-11", 5, NOVEMBER, NOVEMBER)
HEADER = b"0192d3b0-7b1e-7cc3-9a55-000000000001" + b"2026-11"


class ForgetfulLine:
    """Loses the functions so many times, and answers only those who are patient."""

    def __init__(self, losses: int) -> None:
        self._losses = losses
        self.loads = 0

    async def ask(self, *words: object) -> object:
        raise Unavailable("not within 20 ms")

    async def tell(self, *words: object) -> object:
        match words[0]:
            case "FUNCTION":
                self.loads += 1
            case "GETRANGE":
                return HEADER
            case _ if self._losses:
                self._losses -= 1
                raise FunctionsLost
        return 1


def over(line: ForgetfulLine) -> Buckets:
    return Buckets(line)  # type: ignore[arg-type]


async def test_functions_that_were_lost_are_told_again() -> None:
    line = ForgetfulLine(losses=1)
    await over(line).rebase(BASE, NOVEMBER)
    assert line.loads == 1


async def test_a_valkey_that_loses_them_at_once_is_as_good_as_away() -> None:
    with pytest.raises(Unavailable):
        await over(ForgetfulLine(losses=99)).rebase(BASE, NOVEMBER)


async def test_a_refund_is_patient() -> None:
    assert await over(ForgetfulLine(losses=0)).refund(7, "s-1", 1) == 1
