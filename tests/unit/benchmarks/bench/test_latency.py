from __future__ import annotations

import math

import pytest

from benchmarks.bench.latency import p99_ms, percentile


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 50), (98.5, 99), (99, 99), (99.1, 100), (100, 100)]
)
def test_a_percentile_is_the_sample_of_that_rank(percent, expected):
    samples = [*range(50, 101), *range(1, 50)]
    assert percentile(samples, percent) == expected


def test_a_single_sample_is_every_percentile():
    assert percentile([7.0], 1) == percentile([7.0], 99) == 7.0


@pytest.mark.parametrize(("samples", "percent"), [([], 99), ([1.0], 0), ([1.0], 101)])
def test_no_samples_and_no_such_percentile_are_errors(samples, percent):
    with pytest.raises(ValueError, match="percentile"):
        percentile(samples, percent)


def test_calls_without_an_answer_last_for_ever():
    assert p99_ms([0.001] * 99 + [math.inf]) == 1.0
    assert p99_ms([0.001] * 98 + [math.inf] * 2) == math.inf
