"""`enrichment` down: scans are accepted, recorded and billed; the stream holds the work until it is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.actors import Company, eventually, scan
from tests.system.books import assert_balanced
from tests.system.inspector import waiting


@pytest.fixture
def enrichment_down(mesh) -> Iterator[None]:
    parts = ("enrichment", "enrichment-worker")
    for part in parts:
        mesh.hold(part)
    yield
    for part in parts:
        mesh.release(part)


def test_stream_holds_the_work(mesh, own_company: Company, enrichment_down) -> None:
    device = own_company.scanner()
    scans = [scan() for _ in range(5)]
    assert {device.submit(each).status for each in scans} == {200}
    path = f"/v1/scans/{scans[-1]['scanId']}"
    eventually(lambda: device.http.get(path).status == 200, seconds=10, what="it is on record")
    eventually(lambda: own_company.usage() == len(scans), seconds=10, what="it is on the bill")
    assert waiting(mesh.describe(), "RECORDED") > 0
    unknown = device.http.get(f"{path}/enrichment")
    assert (unknown.status, unknown.reason) == (503, "DEPENDENCY_UNAVAILABLE")
    assert unknown.retry_delay
    for part in ("enrichment", "enrichment-worker"):
        mesh.release(part)
    assert_balanced(mesh.describe(), own_company, [each["scanId"] for each in scans])
    eventually(
        lambda: device.http.get(f"{path}/enrichment").status == 200, seconds=5, what="the edge is told"
    )
