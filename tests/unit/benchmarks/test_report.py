"""The report of a chaos run: its shape for machines, and what people see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.books.audit import Counts
from benchmarks.chaos.outages import Outage
from benchmarks.chaos.report import Report, Suffered, lines, write

BOOKS = Counts(
    accepted=10,
    unknown_stored=1,
    stored=11,
    rolled_up=11,
    metered=11,
    invoiced=11,
    enriched=10,
    dead_letters=1,
)
REPORT = Report(
    seed=7,
    seconds=60.0,
    replicas=2,
    mutant=None,
    offered_per_s=203.98765,
    accepted_per_s=198.0,
    withheld=12,
    attempts={"accepted": 30, "NOT_DURABLE": 2},
    faults=(
        Suffered(1.23456, "kill ingest", ["ingest"], Outage(3, 0.41239, 1.1)),
        Suffered(9.0, "kill ingest", ["ingest"], Outage(4, 0.2, 2.5)),
        Suffered(11.0, "stop nats", [], Outage(5, None, None)),
    ),
    left_out=(),
    restarts={"ingest": 2, "nats": 0},
    exact_quota=False,
    books=BOOKS,
    differences=(),
)


def test_json_is_as_the_issue_shows_it(tmp_path: Path) -> None:
    write(REPORT, tmp_path / "new" / "chaos.json")
    written = json.loads((tmp_path / "new" / "chaos.json").read_text())
    assert written["seed"] == 7
    assert written["seconds"] == 60.0
    assert written["faults"][0] == {
        "at": 1.235,
        "what": "kill ingest",
        "errors": 3,
        "outage_s": 0.412,
        "recovered_s": 1.1,
    }
    assert written["faults"][2]["outage_s"] is None
    assert written["faults"][2]["recovered_s"] is None
    assert written["books"] == {
        "accepted": 10,
        "unknown_stored": 1,
        "stored": 11,
        "rolled_up": 11,
        "metered": 11,
        "invoiced": 11,
        "enriched": 10,
        "dead_letters": 1,
    }
    assert written["differences"] == []
    assert written["offered_per_s"] == 203.988


def test_faults_are_shown_by_what_they_are_with_the_worst_of_each() -> None:
    shown = [" ".join(line.split()) for line in lines(REPORT)]
    assert "kill ingest 2 7 0.412 s 2.500 s" in shown
    assert "stop nats 1 5 not over not over" in shown
    assert shown[-1] == "no differences"


def test_process_that_ended_by_itself_is_named() -> None:
    assert not any("by itself" in line for line in lines(REPORT))
    shown = list(lines(replace(REPORT, restarts={"ingest": 3, "nats": 1})))
    assert "ingest has ended by itself, 1 times" in shown
    assert "nats has ended by itself, 1 times" in shown


def test_every_difference_is_shown() -> None:
    shown = list(lines(replace(REPORT, books=None, differences=("company 1: lost", "company 2: doubled"))))
    assert shown[-3:] == ["2 differences:", "  company 1: lost", "  company 2: doubled"]
    assert not any(line.startswith("books") for line in shown)
