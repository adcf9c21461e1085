from __future__ import annotations

from pathlib import Path

from deploy.local import environments, postgres
from deploy.local.roster import SERVICES, WORKERS
from tests.unit.deploy.sites import site


def test_requests_are_served_under_row_level_security_and_work_is_done_for_all(tmp_path: Path) -> None:
    here = site(tmp_path)
    for service in SERVICES:
        told = environments.of_service(here, service, service)
        assert told[f"{service.upper()}_DATABASE_URL"].startswith(f"postgresql+asyncpg://{service}_app:")
    for name, worker in WORKERS.items():
        told = environments.of_worker(here, worker.service, name)
        variable = f"{worker.service.upper()}_DATABASE_URL"
        assert told[variable].startswith(f"postgresql+asyncpg://{worker.service}_worker:")


def test_everything_a_service_is_told_bears_its_name(tmp_path: Path) -> None:
    here = site(tmp_path)
    for service in SERVICES:
        names = environments.of_service(here, service, service)
        assert all(name.startswith(f"{service.upper()}_") for name in names)


def test_a_service_is_told_every_replica_of_those_it_asks(tmp_path: Path) -> None:
    here = site(tmp_path, replicas=2)
    told = environments.of_service(here, "ratelimit", "ratelimit-2")
    assert told["RATELIMIT_AUTH_TARGETS"] == ",".join(environments.addresses(here, "auth"))
    assert len(set(told["RATELIMIT_BILLING_TARGETS"].split(","))) == 2
    assert told["RATELIMIT_LISTEN"] == f"127.0.0.1:{here.ports['ratelimit-2']}"


def test_ingest_is_told_which_disk_the_stores_are_on_and_keeps_more_of_it_than_the_wal_may_take(
    tmp_path: Path,
) -> None:
    here = site(tmp_path)
    told = environments.of_service(here, "ingest", "ingest")
    assert told["INGEST_STORES_FOLDER"] == str(here.home.data)
    assert int(told["INGEST_STORES_RESERVE_BYTES"]) > postgres.MAX_WAL_BYTES
    assert f"max_wal_size = {postgres.MAX_WAL_BYTES // 2**20}MB" in postgres.configuration(here, tmp_path)
