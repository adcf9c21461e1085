"""What a run has found: as JSON for machines, as a short table for people."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks.books.audit import Counts
from benchmarks.chaos.outages import Outage


@dataclass(frozen=True, slots=True)
class Suffered:
    """One fault with what came of it."""

    at: float
    """Seconds since the beginning of the run."""
    what: str
    """Such as `kill ingest`."""
    ended: Sequence[str]
    """The names of the processes that it has ended."""
    outage: Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run."""

    seed: int
    seconds: float
    replicas: int
    mutant: str | None
    offered_per_s: float
    accepted_per_s: float
    withheld: int
    """Scans that devices which were full did not take: beyond those offered."""
    attempts: dict[str, int]
    """Scans handed over, resends among them, by what was answered."""
    faults: tuple[Suffered, ...]
    left_out: tuple[str, ...]
    """Faults that were asked for and cannot be had on this machine, and why."""
    restarts: dict[str, int]
    """How often the supervisor has started a process again, by its name in mesh.json."""
    exact_quota: bool
    """Whether what quotas count was held against the ledger before that could repair it."""
    books: Counts | None
    """None: they could not be looked at; the differences say why."""
    differences: tuple[str, ...]


def write(report: Report, path: Path) -> None:
    """Write it as JSON; times in seconds, rounded to milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(report), indent=1) + "\n")


def as_json(report: Report) -> dict[str, Any]:
    """Answer what build/chaos.json holds."""
    return {
        **asdict(report),
        "offered_per_s": _rounded(report.offered_per_s),
        "accepted_per_s": _rounded(report.accepted_per_s),
        "faults": [_fault(each) for each in report.faults],
        "differences": list(report.differences),
    }


def lines(report: Report) -> Iterator[str]:
    """Render it for a terminal."""
    pace = f"offered {report.offered_per_s:.0f} scans/s, accepted {report.accepted_per_s:.0f} scans/s"
    yield f"{pace}; {report.withheld} more were not taken by devices that were full"
    yield "attempts: " + ", ".join(f"{outcome} {count}" for outcome, count in report.attempts.items())
    yield from (f"left out: {each}" for each in report.left_out)
    yield f"{len(report.faults)} faults:"
    yield f"  {'':<26} {'count':>5} {'errors':>7} {'longest outage':>15} {'longest recovery':>17}"
    by_what = sorted(report.faults, key=attrgetter("what"))
    for what, faults in itertools.groupby(by_what, key=attrgetter("what")):
        yield _row(what, [fault.outage for fault in faults])
    yield from (f"{name} has ended by itself, {times} times" for name, times in _unexplained(report).items())
    if report.books is not None:
        yield "books: " + ", ".join(f"{name} {count}" for name, count in asdict(report.books).items())
    if not report.exact_quota:
        yield "quotas were compared only when the watermark had passed, which puts a wrong refund right"
    yield f"{len(report.differences) or 'no'} differences" + (":" if report.differences else "")
    yield from (f"  {difference}" for difference in report.differences)


def _unexplained(report: Report) -> Counter[str]:
    """Answer what was started again more often than a fault has ended it: it lacked what another fault had taken."""
    return Counter(report.restarts) - Counter(name for fault in report.faults for name in fault.ended)


def _row(what: str, outages: Sequence[Outage]) -> str:
    errors = sum(outage.errors for outage in outages)
    longest = _longest([outage.outage_s for outage in outages])
    recovery = _longest([outage.recovered_s for outage in outages])
    return f"  {what:<26} {len(outages):>5} {errors:>7} {longest:>15} {recovery:>17}"


def _longest(times: Sequence[float | None]) -> str:
    """Answer the longest of them; one that the run did not see the end of is longer than any other."""
    known = [time for time in times if time is not None]
    return f"{max(known):.3f} s" if len(known) == len(times) else "not over"


def _fault(suffered: Suffered) -> dict[str, Any]:
    outage = suffered.outage
    return {
        "at": _rounded(suffered.at),
        "what": suffered.what,
        "errors": outage.errors,
        "outage_s": _rounded(outage.outage_s),
        "recovered_s": _rounded(outage.recovered_s),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
