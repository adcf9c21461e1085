from __future__ import annotations

import pytest

from benchmarks.bench.row import BUDGETS, NOT_REACHED, Budget, Reading, Row

RATE = Budget("rate", "scans/s", 1_000, 1_500, "higher")
TIME = Budget("time", "ms", 50)
UNBOUND = Budget("free", "ms", None)


def row(budget: Budget, *values: float | None) -> Row:
    return Row(budget, [Reading(value, "" if value is not None else NOT_REACHED) for value in values])


def test_the_rows_are_those_of_the_design():
    assert [budget.id for budget in BUDGETS] == [
        "http_single_rate",
        "http_single_p99_ms",
        "grpc_batch_rate",
        "pipeline_rate",
        "enriched_p99_ms",
        "spend_p99_ms",
        "identity_memory_p99_ms",
        "identity_valkey_p99_ms",
        "revocation_p99_ms",
        "lane_isolation_ratio",
        "cold_start_s",
        "idle_pss_mb",
    ]
    assert [budget.id for budget in BUDGETS if budget.better == "higher"] == [
        "http_single_rate",
        "grpc_batch_rate",
        "pipeline_rate",
    ]


@pytest.mark.parametrize(
    ("budget", "value", "verdict"),
    [
        (RATE, 1_000.0, True),
        (RATE, 999.9, False),
        (RATE, None, False),
        (TIME, 50.0, True),
        (TIME, 50.1, False),
        (TIME, None, False),
        (UNBOUND, 3.0, None),
        (UNBOUND, None, None),
    ],
)
def test_a_floor_holds_for_rates_and_a_ceiling_for_times(budget, value, verdict):
    assert budget.met(value) is verdict


def test_the_median_counts_and_the_spread_is_shown():
    written = row(RATE, 900.0, 1_100.0, 1_000.0).as_json()
    assert (written["value"], written["spread"], written["pass"]) == (1_000.0, 200.0, True)
    assert written["runs"] == [900.0, 1_100.0, 1_000.0]
    assert "reason" not in written


def test_one_run_has_no_spread():
    assert row(TIME, 40.0).as_json()["spread"] is None


def test_a_row_that_one_run_did_not_reach_has_no_value():
    written = row(RATE, 1_100.0, None, 1_200.0).as_json()
    assert (written["value"], written["pass"], written["reason"]) == (None, False, "not reached")
    assert written["runs"] == [1_100.0, None, 1_200.0]


@pytest.mark.parametrize(("values", "verdict"), [((1_000.0,), "ok"), ((10.0,), "short"), ((None,), "short")])
def test_a_row_that_is_short_says_so(values, verdict):
    assert row(RATE, *values).verdict == verdict
