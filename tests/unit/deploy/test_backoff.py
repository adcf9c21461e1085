from __future__ import annotations

from deploy.local.backoff import HEALTHY_SECONDS, Backoff


def test_first_restart_is_immediate_then_delays_double_to_two_seconds() -> None:
    backoff = Backoff()
    delays = [backoff.after(0.0) for _ in range(8)]
    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_healthy_run_starts_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0.0)
    assert backoff.after(HEALTHY_SECONDS) == 0.0
    assert backoff.after(HEALTHY_SECONDS - 0.1) == 0.1
