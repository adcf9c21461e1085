"""`kill -9` between any two steps of any part: nothing that was accepted is lost, and nothing is there twice.

The kills are planted from outside (benchmarks/plants). What a killed worker held comes again after two seconds here instead
of ten, so that one case takes five seconds; nothing else is different from production.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.plants.site.planted import Plant
from deploy.local.mesh import Mesh
from tests.system.actors import Company, Device, eventually, scan
from tests.system.books import assert_balanced
from tests.system.disturbances import plants, redelivery_within, submit_until_accepted
from tests.system.inspector import settle

REDELIVERY_SECONDS = 2.0
FIRE_SECONDS = 30.0
"""Bounds the slowest: the watermark moves every ten seconds, 15 s behind the clock."""


@dataclass(frozen=True)
class Kill:
    """Where a part is killed; `name` says it for the reports."""

    part: str
    name: str
    at: Plant
    without: Plant | None = None
    """Another step of the same moment that has not been taken."""

    def __str__(self) -> str:
        return f"{self.part}: {self.name}"


def _kill(target: str, when: str, among: str = "") -> Plant:
    return Plant(target=target, act="kill", when=when, among=among)


def _never(target: str, among: str) -> Plant:
    return Plant(target=target, act="hang", among=among)


PUBLISH = "services.chassis.bus:Bus.publish"
ACK = "services.chassis.pull:Delivery.ack"
RECORD = "services.ingest.store_record:RecordStore.record"
COUNT = "services.ingest.store_tally:TallyStore.count"
KEEP = "services.enrichment.store_result:ResultStore.keep"
APPEND = "services.billing.store_ledger:LedgerStore.append"
TOTAL = "services.billing.publisher:Publisher.total"
SPEND = "services.ratelimit.buckets:Buckets.spend"
PUBLISH_SCANS = "services.ingest.publisher:ScanPublisher.publish"

KILLS = [
    Kill("ingest", "before a scan is published", _kill(PUBLISH_SCANS, "before")),
    Kill("ingest", "after it is published and before the answer", _kill(PUBLISH_SCANS, "after")),
    Kill("ratelimit", "before Valkey is asked", _kill(SPEND, "before")),
    Kill("ratelimit", "after Valkey has granted and before the answer", _kill(SPEND, "after")),
    Kill("ingest-recorder", "before the transaction", _kill(RECORD, "before")),
    Kill("ingest-recorder", "after the transaction", _kill(RECORD, "after")),
    Kill(
        "ingest-recorder",
        "after RECORDED and before USAGE",
        _kill(PUBLISH, "after", "scan.recorded"),
        without=_never(PUBLISH, "usage.recorded"),
    ),
    Kill(
        "ingest-recorder",
        "after USAGE and before RECORDED",
        _kill(PUBLISH, "after", "usage.recorded"),
        without=_never(PUBLISH, "scan.recorded"),
    ),
    Kill("ingest-recorder", "before the ack", _kill(ACK, "before", "scan.accepted")),
    Kill("ingest-recorder", "after a tally is counted", _kill(COUNT, "after")),
    Kill("enrichment-worker", "before the transaction", _kill(KEEP, "before")),
    Kill("enrichment-worker", "after the transaction", _kill(KEEP, "after")),
    Kill(
        "enrichment-worker",
        "after ENRICHED and before TALLY",
        _kill(PUBLISH, "after", "scan.enriched"),
        without=_never(PUBLISH, "scan.tallied"),
    ),
    Kill(
        "enrichment-worker",
        "after TALLY and before ENRICHED",
        _kill(PUBLISH, "after", "scan.tallied"),
        without=_never(PUBLISH, "scan.enriched"),
    ),
    Kill("enrichment-worker", "before the ack", _kill(ACK, "before", "scan.recorded")),
    Kill("billing-ledger", "before the transaction", _kill(APPEND, "before")),
    Kill("billing-ledger", "after the transaction and before the ack", _kill(APPEND, "after")),
    Kill("billing-ledger", "before a total is told", _kill(TOTAL, "before")),
]


@pytest.fixture(scope="module", autouse=True)
def soon(mesh: Mesh) -> Iterator[None]:
    with redelivery_within(mesh.describe(), REDELIVERY_SECONDS):
        yield


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_nothing_is_lost_and_nothing_is_there_twice(
    mesh: Mesh, own_company: Company, tmp_path: Path, kill: Kill
) -> None:
    device = own_company.without_limits().scanner()
    marker = tmp_path / "killed"
    faults = [replace(kill.at, marker=str(marker))]
    if kill.without:
        faults.append(replace(kill.without, marker=str(tmp_path / "not reached")))
    with plants(mesh, kill.part, *faults):
        accepted = _send(device)
        eventually(
            lambda: marker.exists() or bool(accepted.append(submit_until_accepted(device, scan()))),
            seconds=FIRE_SECONDS,
            what=f"the kill of {kill}",
        )
        accepted += _send(device)
        assert_balanced(mesh.describe(), own_company, accepted)
    eventually(lambda: mesh.describe()["processes"][kill.part] != [], seconds=5, what="the part is back")


def test_dead_letter_is_written_by_the_one_that_takes_over(
    mesh: Mesh, own_company: Company, tmp_path: Path
) -> None:
    device, body = own_company.scanner(), scan(location="A")
    marker = tmp_path / "killed"
    fault = replace(_kill(PUBLISH, "before", "deadletter.written"), marker=str(marker))
    with plants(mesh, "ingest-recorder", fault):
        for location in ("A", "B"):
            submit_until_accepted(device, {**body, "location": location})
        eventually(marker.exists, seconds=FIRE_SECONDS, what="the kill before the letter")
        settle(mesh.describe())
    assert [letter["reason"] for letter in own_company.dead_letters()] == ["SCAN_ID_REUSED"]
    assert_balanced(mesh.describe(), own_company, [body["scanId"]])


def _send(device: Device) -> list[str]:
    """Send a few scans, each until it is accepted, and a batch of them once more; answer their ids."""
    scans = [scan() for _ in range(3)]
    sent = [submit_until_accepted(device, each) for each in scans]
    answer = device.http.post("/v1/scans:batch", {"scans": scans})
    assert answer.status == 200 or answer.retry_delay, answer
    return sent
