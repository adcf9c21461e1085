"""`billing` down: scans are accepted, recorded and enriched; limits hold by what is known; the bill is exact afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.actors import Company, eventually, scan
from tests.system.books import assert_balanced
from tests.system.inspector import waiting

PARTS = ("billing", "billing-ledger")


@pytest.fixture
def billing_down(mesh, own_company: Company) -> Iterator[None]:
    for part in PARTS:
        mesh.hold(part)
    yield
    for part in PARTS:
        mesh.release(part)


def test_stream_holds_the_work(mesh, own_company: Company, billing_down) -> None:
    device = own_company.scanner()
    scans = [scan() for _ in range(5)]
    assert {device.submit(each).status for each in scans} == {200}
    path = f"/v1/scans/{scans[-1]['scanId']}"
    eventually(lambda: device.http.get(f"{path}/enrichment").status == 200, seconds=10, what="it is enriched")
    assert waiting(mesh.describe(), "USAGE") > 0
    for refused in (
        own_company.admin.http.get(f"{own_company.path}/usage"),
        own_company.admin.http.get(f"{own_company.path}/invoices:preview"),
        own_company.subscribe("professional"),
    ):
        assert (refused.status, refused.reason) == (503, "DEPENDENCY_UNAVAILABLE")
        assert refused.retry_delay
    for part in PARTS:
        mesh.release(part)
    assert_balanced(mesh.describe(), own_company, [each["scanId"] for each in scans])


def test_quota_holds_by_what_is_known(mesh, own_company: Company, limits_in_force: None) -> None:
    device = own_company.scanner()
    own_company.limit("company.month", 3)
    scans = [scan() for _ in range(3)]
    assert device.submit(scans[0]).status == 200
    for part in PARTS:
        mesh.hold(part)
    try:
        assert [device.submit(each).status for each in scans[1:]] == [200, 200]
        refused = device.submit(scan())
        assert (refused.status, refused.reason) == (429, "QUOTA_EXCEEDED")
        assert refused.retry_delay
    finally:
        for part in PARTS:
            mesh.release(part)
    assert_balanced(mesh.describe(), own_company, [each["scanId"] for each in scans])
