"""`make chaos`, for a minute and with another seed each time: whatever falls when, the books agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.settings import ROOT

_SECONDS = 60
_MANY_SECONDS = 300.0
_BOOKS = {
    "accepted",
    "unknown_stored",
    "stored",
    "rolled_up",
    "metered",
    "invoiced",
    "enriched",
    "dead_letters",
}


@pytest.mark.timeout(_MANY_SECONDS)
def test_books_agree_after_a_minute_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    command = [sys.executable, "-m", "benchmarks.chaos", "--seconds", str(_SECONDS), "--report", str(path)]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_MANY_SECONDS - 10, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(path.read_text())
    assert f"seed {report['seed']}," in run.stdout.splitlines()[0]
    assert report["differences"] == []
    assert report["seconds"] == _SECONDS
    assert report["mutant"] is None
    assert report["offered_per_s"] >= 100
    assert len(report["faults"]) >= _SECONDS / 5
    for fault in report["faults"]:
        assert fault.keys() == {"at", "what", "errors", "outage_s", "recovered_s"}
        assert 0 <= fault["at"] <= _SECONDS + 1  # the last one may be a moment late
        assert fault["what"].split()[0] in {"kill", "stop", "restart"}
    books = report["books"]
    assert books.keys() == _BOOKS
    assert books["stored"] == books["rolled_up"] == books["metered"] == books["invoiced"] > 60 * _SECONDS
