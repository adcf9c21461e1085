"""`make chaos FAULTS=power,disk`, for a minute and with another seed each time: whatever falls when, the books agree.

And with a bug: then it ends in time, as a run with differences. `test_mutants.py` has all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutants.catalogue import MUTANTS
from deploy.local.settings import ROOT

_SECONDS = 60
_MANY_SECONDS = 300.0
_MUTANT = "ack_before_publish"
_MUTANT_SECONDS = 60.0
"""The whole command, start and stop of the mesh included."""
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
    run, report = _chaos(
        tmp_path, "--seconds", str(_SECONDS), "--faults", "power,disk", timeout=_MANY_SECONDS - 10
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"seed {report['seed']}," in run.stdout.splitlines()[0]
    assert report["differences"] == []
    assert report["seconds"] == _SECONDS
    assert report["mutant"] is None
    assert report["offered_per_s"] >= 100
    assert len(report["faults"]) >= _SECONDS / 5
    for fault in report["faults"]:
        assert fault.keys() == {"at", "what", "errors", "outage_s", "recovered_s"}
        assert 0 <= fault["at"] <= _SECONDS + 1  # the last one may be a moment late
        assert fault["what"].split()[0] in {"kill", "stop", "restart", "power", "disk"}
    befell = Counter(fault["what"] for fault in report["faults"])
    cuts, full, left_out = befell["power cut"], befell["disk full"], len(report["left_out"])
    assert (cuts, full, left_out) == ((2, 1, 0) if _a_disk_can_be_had() else (0, 0, 2))
    books = report["books"]
    assert books.keys() == _BOOKS
    assert books["stored"] == books["rolled_up"] == books["metered"] == books["invoiced"] > 60 * _SECONDS


def test_a_run_with_a_bug_ends_as_one_with_differences_within_a_minute(tmp_path: Path) -> None:
    run, report = _chaos(tmp_path, "--mutant", _MUTANT, "--seed", "7", timeout=_MUTANT_SECONDS)
    assert run.returncode == 1, run.stdout + run.stderr
    assert report["mutant"] == _MUTANT
    assert any(MUTANTS[_MUTANT].found_as in difference for difference in report["differences"])
    assert all(difference in run.stdout for difference in report["differences"])


def _a_disk_can_be_had() -> bool:
    """Whether this machine lets us mount a disk; tried apart, for whoever mounts one leaves the machine's mounts behind."""
    command = [sys.executable, "-c", "from benchmarks import disk\ndisk.require()"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def _chaos(
    folder: Path, *arguments: str, timeout: float
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    path = folder / "chaos.json"
    command = [sys.executable, "-m", "benchmarks.chaos", *arguments, "--report", str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    return run, json.loads(path.read_text())
