from __future__ import annotations

import json

import pytest

from benchmarks.bench import report
from benchmarks.bench.__main__ import main
from benchmarks.bench.row import NOT_REACHED, Reading
from benchmarks.bench.run import Run

COST = {
    "scans": 10,
    "cpu_ms_per_scan": {"ingest": 1.5, "total": 1.5},
    "bus_per_scan": {"SCANS": {"messages": 1, "bytes": None}},
    "disk_bytes_per_scan": {"nats": 300},
}


def run(rate: float | None, memory: float) -> Run:
    return Run(
        readings={
            "pipeline_rate": Reading(rate, "" if rate else NOT_REACHED, "a note"),
            "idle_pss_mb": Reading(memory),
        },
        profiles={"pipeline_rate": COST},
        limits={"pipeline": {"company.minute": 10**9}},
        parts={
            "postgres": {"version": "17", "settings": {"fsync": "on"}},
            "nats": {
                "version": "2",
                "settings": {"sync_interval": "always", "streams": {"SCANS": {"discard": "new"}}},
            },
        },
    )


WANTED = ["pipeline_rate", "idle_pss_mb"]


def test_the_report_holds_what_the_issue_names():
    runs = [run(9_000.0, 700.0), run(13_000.0, 900.0), run(12_000.0, 850.0)]
    rows = report.rows(runs, WANTED)
    written = json.loads(
        json.dumps(report.as_json(rows, runs, machine={"cores": 2}, commit="abc", quick=False))
    )
    assert written["machine"] == {"cores": 2, "versions": {"postgres": "17", "nats": "2"}}
    assert (written["commit"], written["quick"]) == ("abc", False)
    assert written["settings"]["postgres"] == {"fsync": "on"}
    assert written["settings"]["limits"] == {"pipeline": {"company.minute": 10**9}}
    assert len(written["profile"]) == 3
    assert written["rows"][0] == {
        "id": "pipeline_rate",
        "value": 12_000.0,
        "unit": "scans/s",
        "at_least": 11_574,
        "aim": 25_000,
        "better": "higher",
        "runs": [9_000.0, 13_000.0, 12_000.0],
        "spread": 4_000.0,
        "pass": True,
        "notes": ["a note"] * 3,
    }
    assert (written["rows"][1]["value"], written["rows"][1]["pass"]) == (850.0, False)


def test_the_table_says_what_is_short_and_what_was_not_reached():
    lines = list(report.table(report.rows([run(None, 700.0)], WANTED)))
    assert lines[1].split() == [
        "pipeline_rate",
        "not",
        "reached",
        "≥",
        "11,574",
        "25,000",
        "scans/s",
        "short",
    ]
    assert lines[2].split() == ["idle_pss_mb", "700", "≤", "800", "600", "MB", "ok"]


def test_a_row_that_could_not_be_measured_is_told_from_one_that_is_slow():
    broken = run(1.0, 700.0)
    broken.readings["pipeline_rate"] = Reading(None, "failed: BooksDiffer('lost')", failed=True)
    [row, _] = report.rows([broken], WANTED)
    assert row.as_json()["reason"] == "failed: BooksDiffer('lost')"
    assert "failed" in list(report.table([row]))[1].split()


def test_settings_limits_and_costs_are_printed():
    assert list(report.conditions(run(1.0, 1.0))) == [
        "postgres 17: fsync=on",
        "nats 2: sync_interval=always",
        "  SCANS: discard=new",
        "limits of pipeline: company.minute=1000000000",
    ]
    assert list(report.costs(run(1.0, 1.0))) == [
        "pipeline_rate: by scan, of 10",
        "  CPU ms: ingest 1.5, total 1.5",
        "  bus bytes: SCANS not seen",
        "  disk bytes: nats 300",
    ]


def test_a_row_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--rows", "pipeline_rate,coffee"])
    assert "no such row: coffee" in capsys.readouterr().err
