"""`make bench` at its cheapest: on a mesh of its own, two rows, and the report."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.books.settling import WORK_QUEUES
from deploy.local.settings import ROOT


def test_the_bench_measures_a_mesh_of_its_own_and_reports(tmp_path):
    path = tmp_path / "bench.json"
    arguments = ["--quick", "--rows", "spend_p99_ms,cold_start_s", "--report", str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "limits of spend: company.minute=1000000000" in done.stdout
    report = json.loads(path.read_text())
    assert report["quick"] is True
    assert report["settings"]["postgres"]["fsync"] == "on"
    assert report["settings"]["nats"]["sync_interval"] == "always"
    assert set(report["settings"]["nats"]["streams"]) == {*WORK_QUEUES, "ENRICHED"}
    rows = {row["id"]: row for row in report["rows"]}
    assert rows.keys() == {"spend_p99_ms", "cold_start_s"}
    assert rows["cold_start_s"]["value"] > 0
    for row in rows.values():
        assert row["runs"] == [row["value"]]
        reached = row["value"] is not None
        assert row["pass"] is (reached and row["value"] <= row["at_least"])
        assert row.get("reason") == (None if reached else "not reached")
