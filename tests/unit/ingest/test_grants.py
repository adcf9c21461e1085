from __future__ import annotations

from datetime import timedelta

import pytest

from services.chassis.errors import Reason
from services.ingest.grants import Refusal, Refusing, refusal


def refused(*limits: tuple[str, int]) -> Refusal | None:
    return refusal([Refusing(name, timedelta(seconds=seconds)) for name, seconds in limits])


def test_what_no_limit_refused_is_no_refusal() -> None:
    assert refused() is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([("scanner.minute", 3)], ("RATE_LIMITED", "scanner.minute", 3)),
        ([("company.minute", 9), ("scanner.minute", 3)], ("RATE_LIMITED", "company.minute", 9)),
        ([("company.day", 3), ("scanner.minute", 9)], ("RATE_LIMITED", "scanner.minute", 9)),
        ([("company.month", 30)], ("QUOTA_EXCEEDED", "company.month", 30)),
        ([("company.month", 30), ("scanner.minute", 50)], ("QUOTA_EXCEEDED", "company.month", 30)),
        ([("company.minute", 50), ("company.month", 3_600)], ("QUOTA_EXCEEDED", "company.month", 3_600)),
    ],
)
def test_the_quota_outranks_the_rates_and_the_slowest_of_them_the_others(
    limits: list[tuple[str, int]], expected: tuple[str, str, int]
) -> None:
    reason, limit, seconds = expected
    assert refused(*limits) == Refusal(Reason(reason), limit, timedelta(seconds=seconds))
