from __future__ import annotations

from benchmarks.bench.bus import STREAMS, State, States, traffic
from benchmarks.bench.lag import behind
from benchmarks.bench.profile import Profile

EMPTY = State(0, 0, 0)


def states(**seen: State) -> States:
    return {name: seen.get(name, EMPTY) for name in STREAMS}


def test_two_seconds_of_its_own_inflow_may_wait_in_a_queue():
    first = states(SCANS=State(0, 0, 1_000))
    assert behind(first, states(SCANS=State(220, 0, 1_400)), 4.0) == ""
    assert (
        behind(first, states(SCANS=State(221, 0, 1_400)), 4.0)
        == "SCANS held 221 messages after 4 s, at 100/s"
    )


def test_a_queue_that_nothing_comes_into_may_hold_next_to_nothing():
    assert behind(states(), states(USAGE=State(20, 0, 0)), 1.0) == ""
    assert behind(states(), states(USAGE=State(21, 0, 0)), 1.0).startswith("USAGE held 21")


def test_what_is_kept_for_watchers_is_no_backlog():
    assert behind(states(), states(ENRICHED=State(10_000, 0, 0)), 1.0) == ""


def test_traffic_is_what_was_numbered_and_as_large_as_what_was_seen():
    seen = traffic(
        [
            states(SCANS=State(0, 0, 100)),
            states(SCANS=State(2, 300, 150)),
            states(SCANS=State(1, 300, 190)),
            states(SCANS=State(0, 0, 200)),
        ]
    )
    assert (seen["SCANS"].messages, seen["SCANS"].mean_bytes) == (100, 200.0)
    assert (seen["TALLY"].messages, seen["TALLY"].mean_bytes) == (0, None)


def test_what_a_stream_keeps_is_measured_without_what_was_there_before():
    seen = traffic([states(ENRICHED=State(10, 50_000, 10)), states(ENRICHED=State(30, 54_000, 30))])
    assert (seen["ENRICHED"].messages, seen["ENRICHED"].mean_bytes) == (20, 200.0)


def test_a_profile_is_divided_by_the_scans():
    samples = [states(), states(SCANS=State(1, 500, 1)), states(SCANS=State(0, 0, 4))]
    profile = Profile({"ingest": 2.0, "nats": 1.0}, {"nats": 4_000}, samples)
    cost = profile.per_scan(1_000)
    assert cost["cpu_ms_per_scan"] == {"ingest": 2.0, "nats": 1.0, "total": 3.0}
    assert cost["disk_bytes_per_scan"] == {"nats": 4}
    assert cost["bus_per_scan"]["SCANS"] == {"messages": 0.004, "bytes": 2.0}
    assert cost["bus_per_scan"]["RECORDED"] == {"messages": 0.0, "bytes": None}
