from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import MeshError, Reason, ResourceExhausted, Unavailable
from services.ingest.batch import Rejection, refusal

LIMITS = [Reason.RATE_LIMITED, Reason.QUOTA_EXCEEDED]
OTHERS = [Reason.NOT_DURABLE, Reason.OVERLOADED, Reason.DEPENDENCY_UNAVAILABLE]
DELAYS = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1))


def rejected(*reasons: Reason) -> list[Rejection]:
    """Rejections with delays of 1 s, 2 s, …; those for good have none."""
    return [
        Rejection(
            index,
            "",
            reason,
            retry_delay=None if reason is Reason.INVALID_ARGUMENT else timedelta(seconds=index + 1),
        )
        for index, reason in enumerate(reasons)
    ]


def shape(error: MeshError | None) -> tuple[type[MeshError], Reason, float] | None:
    return error and (type(error), error.reason, error.retry_delay.total_seconds())


@pytest.mark.parametrize(
    ("accepted", "reasons", "expected"),
    [
        (1, [], None),
        (1, [Reason.NOT_DURABLE], None),
        (1, [Reason.RATE_LIMITED, Reason.INVALID_ARGUMENT], None),
        (0, [Reason.INVALID_ARGUMENT], None),
        (0, [Reason.INVALID_ARGUMENT, Reason.NOT_DURABLE], None),
        (0, [Reason.NOT_DURABLE, Reason.INVALID_ARGUMENT], None),
        (0, [Reason.NOT_DURABLE], (Unavailable, Reason.NOT_DURABLE, 1)),
        (0, [Reason.RATE_LIMITED], (ResourceExhausted, Reason.RATE_LIMITED, 1)),
        (0, [Reason.RATE_LIMITED] * 3, (ResourceExhausted, Reason.RATE_LIMITED, 3)),
        (0, [Reason.QUOTA_EXCEEDED, Reason.RATE_LIMITED], (ResourceExhausted, Reason.QUOTA_EXCEEDED, 2)),
        (0, [Reason.RATE_LIMITED, Reason.NOT_DURABLE], (Unavailable, Reason.NOT_DURABLE, 2)),
        (0, [Reason.OVERLOADED, Reason.RATE_LIMITED], (Unavailable, Reason.OVERLOADED, 2)),
    ],
)
def test_a_call_is_refused_when_every_scan_is_to_be_kept(
    accepted: int, reasons: list[Reason], expected: tuple[type[MeshError], Reason, float] | None
) -> None:
    assert shape(refusal(accepted, rejected(*reasons))) == expected


@given(
    st.integers(0, 3),
    st.lists(
        st.one_of(
            st.builds(Rejection, st.integers(0, 9), st.just(""), st.just(Reason.INVALID_ARGUMENT)),
            st.builds(
                Rejection,
                st.integers(0, 9),
                st.just(""),
                st.sampled_from(LIMITS + OTHERS),
                retry_delay=DELAYS,
            ),
        ),
        max_size=6,
    ),
)
def test_the_rule_is_the_contracts(accepted: int, rejections: list[Rejection]) -> None:
    error = refusal(accepted, rejections)
    for_good = [each for each in rejections if each.retry_delay is None]
    if accepted or for_good or not rejections:
        assert error is None
        return
    reasons = {each.reason for each in rejections}
    assert type(error) is (ResourceExhausted if reasons <= set(LIMITS) else Unavailable)
    assert error.reason in (reasons - set(LIMITS) or reasons)
    assert error.retry_delay == max(each.retry_delay for each in rejections)
