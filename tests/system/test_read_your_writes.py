"""What was accepted a moment ago is found, or said to be on its way; what never was is not found, and soon said so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.system.actors import Company, Device, eventually, scan
from tests.system.inspector import settle

VISIBLE_SECONDS = 10.0


@pytest.fixture
def recorder_held(mesh) -> Iterator[None]:
    mesh.hold("ingest-recorder")
    yield
    mesh.release("ingest-recorder")


@pytest.fixture
def enrichment_held(mesh) -> Iterator[None]:
    mesh.hold("enrichment-worker")
    yield
    mesh.release("enrichment-worker")


def test_scan_on_its_way_to_the_record_is_not_recorded_yet(
    mesh, company: Company, device: Device, recorder_held
) -> None:
    body = scan()
    assert device.submit(body).status == 200
    for path in (f"/v1/scans/{body['scanId']}", f"/v1/scans/{body['scanId']}/enrichment"):
        for http in (device.http, company.admin.http):
            answer = http.get(path)
            assert (answer.status, answer.reason, answer.retry_delay) == (404, "NOT_RECORDED_YET", 1.0)
    mesh.release("ingest-recorder")
    path = f"/v1/scans/{body['scanId']}"
    eventually(lambda: device.http.get(path).status == 200, seconds=VISIBLE_SECONDS, what="it is on record")


def test_recorded_scan_on_its_way_to_enrichment(mesh, device: Device, enrichment_held) -> None:
    body = scan()
    assert device.submit(body).status == 200
    path = f"/v1/scans/{body['scanId']}"
    eventually(lambda: device.http.get(path).status == 200, seconds=VISIBLE_SECONDS, what="it is on record")
    answer = device.http.get(f"{path}/enrichment")
    assert (answer.status, answer.reason, answer.retry_delay) == (404, "NOT_RECORDED_YET", 1.0)
    mesh.release("enrichment-worker")
    eventually(
        lambda: device.http.get(f"{path}/enrichment").status == 200,
        seconds=VISIBLE_SECONDS,
        what="it is enriched",
    )


def test_scan_that_never_was_is_not_found(description, company: Company, device: Device) -> None:
    settle(description)
    for http in (device.http, company.admin.http):
        for suffix in ("", "/enrichment"):
            answer = http.get(f"/v1/scans/{uuid.uuid4()}{suffix}")
            assert (answer.status, answer.reason, answer.retry_delay) == (404, "NOT_FOUND", None)


def test_scan_is_its_scanners_and_its_operators_only(
    description, company: Company, device: Device, other_device: Device
) -> None:
    body = scan()
    assert device.submit(body).status == 200
    settle(description)
    for suffix in ("", "/enrichment"):
        path = f"/v1/scans/{body['scanId'].upper()}{suffix}"
        assert [http.get(path).status for http in (device.http, company.admin.http)] == [200, 200]
        assert other_device.http.get(path).reason == "NOT_FOUND"
