"""mesh.json is part of the contract (section 6)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import meshfile
from deploy.local.roster import PROCESSES, SERVICES
from tests.unit.deploy.sites import site

RUNNING = {
    "envoy": [1],
    "nats": [2],
    "postgres": [3],
    "valkey": [4],
    "auth": [5, 6],
    "ingest": [7, 8],
    "supervisor": [9],
}
DEMO = {"company_id": 1, "scanner_id": "x", "api_key": "y", "operator": {}, "platform_admin": {}}


def test_mesh_file_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    description = meshfile.describe(site(tmp_path, replicas=2), RUNNING, DEMO)
    assert set(description) == {
        "edge", "services", "metrics", "nats", "postgres", "valkey", "processes", "demo",
    }  # fmt: skip
    assert set(description["edge"]) == {"http", "https", "ca", "admin"}
    assert description["processes"] == RUNNING
    assert description["demo"] == DEMO


def test_every_replica_has_an_address_and_a_page_of_metrics(tmp_path: Path) -> None:
    description = meshfile.describe(site(tmp_path, replicas=2), RUNNING, DEMO)
    assert {service: len(set(each)) for service, each in description["services"].items()} == dict.fromkeys(
        SERVICES, 2
    )
    assert {process: len(set(each)) for process, each in description["metrics"].items()} == dict.fromkeys(
        PROCESSES, 2
    )
    assert all(page.endswith("/metrics") for pages in description["metrics"].values() for page in pages)


def test_urls_carry_credentials(tmp_path: Path) -> None:
    description = meshfile.describe(site(tmp_path), RUNNING, DEMO)
    for name, scheme in (("nats", "nats"), ("postgres", "postgresql"), ("valkey", "redis")):
        url = urlsplit(description[name])
        assert url.scheme == scheme
        assert url.hostname == "127.0.0.1"
        assert url.username
        assert url.password
