"""Sending an accepted scan again changes nothing: one record, one bill, one unit of quota once the watermark has passed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import nats
import pytest
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from deploy.local.mesh import Mesh
from tests.system.actors import GTIN, Company, Device, Operator, batch_request, eventually, scan
from tests.system.books import assert_balanced
from tests.system.inspector import record, waiting_scans

WATERMARK_SECONDS = 30.0
"""A cell of 10 s, 15 s behind the clock, looked at each second."""
_FORGETFUL_SECONDS = 0.1
"""The shortest window in which JetStream can be made to know message ids."""


@dataclass(frozen=True)
class Resent:
    """A company whose devices sent their scans again and again."""

    company: Company
    quota: int
    """What was left of the month's quota before."""
    scan_ids: list[str]


@pytest.fixture(scope="module")
def resent(mesh: Mesh, platform: Operator) -> Resent:
    company = Company(mesh.describe()["edge"]["http"], platform)
    quota = remaining(company)
    return Resent(company, quota, send_again_and_again(company))


@pytest.fixture(scope="module")
def resent_unrecorded(mesh: Mesh, platform: Operator, resent: Resent) -> Iterator[Resent]:
    """The same while nobody records, and while the bus forgets every message id before the next one comes."""
    company = Company(mesh.describe()["edge"]["http"], platform)
    quota = remaining(company)
    kept = asyncio.run(_remember_for(mesh.describe()["nats"], _FORGETFUL_SECONDS))
    mesh.hold("ingest-recorder")
    scan_ids = send_again_and_again(company)
    mesh.hold("nats")
    mesh.release("nats")
    device = company.scanner()
    again = scan(scanId=scan_ids[0])
    eventually(lambda: device.submit(again).status == 200, seconds=15, what="the bus is back")
    assert len(waiting_scans(mesh.describe(), scan_ids[0])) >= 6
    mesh.release("ingest-recorder")
    yield Resent(company, quota, scan_ids)
    asyncio.run(_remember_for(mesh.describe()["nats"], kept))


def test_it_is_recorded_enriched_and_billed_once(description, resent: Resent) -> None:
    assert_balanced(description, resent.company, resent.scan_ids)


def test_it_is_so_when_nobody_knew_it_yet(description, resent_unrecorded: Resent) -> None:
    assert_balanced(description, resent_unrecorded.company, resent_unrecorded.scan_ids)


def test_record_keeps_its_first_accept_time(description, resent: Resent) -> None:
    [scan_id, _] = resent.scan_ids
    accept_time = record(description, scan_id).accept_time
    answer = resent.company.scanner().submit(scan(scanId=scan_id))
    assert datetime.fromisoformat(answer.body["acceptTime"]) > accept_time
    assert record(description, scan_id).accept_time == accept_time


def test_it_costs_one_unit_of_quota_once_the_watermark_has_passed(
    resent: Resent, resent_unrecorded: Resent
) -> None:
    for each in (resent, resent_unrecorded):
        eventually(
            lambda each=each: remaining(each.company) == each.quota - len(each.scan_ids),
            seconds=WATERMARK_SECONDS,
            what="the quota counts what is on the bill",
        )


def send_again_and_again(company: Company) -> list[str]:
    """Send a scan five times by every route and by two devices, and a legacy body twice; answer the ids of both."""
    device, other = company.scanner(), company.scanner()
    body = scan()
    for answer in (
        device.submit(body),
        device.http.post("/v1/scans:batch", {"scans": [body, body]}),
        other.submit({**body, "scanId": body["scanId"].upper()}),
    ):
        assert answer.status == 200, answer
    message = scan_pb2.Scan(scan_id=body["scanId"], barcode=scan_pb2.Barcode(data=GTIN))
    with device.stub() as stub:
        stub.SubmitScan(ingest_pb2.SubmitScanRequest(scan=message), metadata=device.metadata)
        assert stub.SubmitScans(batch_request(message), metadata=device.metadata).accepted_count == 1
    return [body["scanId"], _legacy_twice(device)]


def _legacy_twice(device: Device) -> str:
    at = datetime.now(UTC) - timedelta(minutes=5)
    content = json.dumps({"productId": GTIN, "timestamp": at.isoformat()}).encode()
    answers = [device.http.call("POST", "/api/scan", content=content) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    [scan_id] = {answer.body["scanId"] for answer in answers}
    return str(scan_id)


def remaining(company: Company) -> int:
    return int(company.limits()["company.month"]["remaining"])


async def _remember_for(url: str, seconds: float) -> float:
    """Set for how long SCANS knows message ids; answer how long it did before."""
    client = await nats.connect(url)
    try:
        config = (await client.jetstream().stream_info("SCANS")).config
        await client.jetstream().update_stream(replace(config, duplicate_window=seconds))
        return float(config.duplicate_window or 0)
    finally:
        await client.close()
