"""The local mesh itself: it comes up, mends itself, stands beside another one, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import nats
import pytest
import redis

from deploy.local.failures import MeshError
from deploy.local.mesh import Mesh
from deploy.local.passwords import Passwords
from deploy.local.process import ProcessId
from deploy.local.settings import ROOT
from tests.system.actors import eventually
from tests.system.running import (
    BACK_SECONDS,
    accepts,
    all_ready,
    command_line,
    listens,
    of_home,
    ports,
    processes,
)

SERVICES = ["auth", "ingest", "ratelimit", "enrichment", "billing"]
WORKERS = ["ingest-recorder", "enrichment-worker", "billing-ledger"]
PARTS = ["envoy", "nats", "postgres", "valkey", *SERVICES, *WORKERS]
STRANGER = pwd.getpwnam("daemon").pw_uid


def test_mesh_file_is_private_and_has_the_fields_of_the_contract(mesh: Mesh) -> None:
    assert stat.S_IMODE(mesh.home.mesh_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(mesh.home.root.stat().st_mode) == 0o700
    description = json.loads(mesh.home.mesh_file.read_text())
    assert set(description["processes"]) == {*PARTS, "supervisor"}
    assert set(description["services"]) == set(SERVICES)
    assert set(description["metrics"]) == {*SERVICES, *WORKERS}
    assert description["demo"]["company_id"] == 1
    assert description["demo"]["api_key"].startswith("kmp_scanner_1_")
    assert set(description["demo"]) == {"company_id", "scanner_id", "api_key", "operator", "platform_admin"}


def test_every_process_and_port_of_mesh_file_is_there(mesh: Mesh) -> None:
    description = mesh.describe()
    assert all(process.alive() for process in processes(description))
    assert all(listens(port) for port in ports(description))
    assert accepts(description)


def test_workers_go_behind_what_a_device_waits_for(mesh: Mesh) -> None:
    running = mesh.describe()["processes"]
    nice = {name: os.getpriority(os.PRIO_PROCESS, running[name][0]) for name in PARTS}
    assert {name for name in PARTS if nice[name] > nice["ingest"]} == set(WORKERS)
    if Path("/proc/self/autogroup").exists():  # then their sessions' is what counts
        told = {name: Path(f"/proc/{running[name][0]}/autogroup").read_text() for name in PARTS}
        session = {name: int(said.split()[-1]) for name, said in told.items()}
        assert {name for name in PARTS if session[name] > session["ingest"]} == set(WORKERS)


@pytest.mark.skipif(os.sched_getscheduler(0) != os.SCHED_OTHER, reason="somebody has chosen another policy")
def test_every_process_takes_turns(mesh: Mesh) -> None:
    running = [each for pids in mesh.describe()["processes"].values() for each in pids]
    assert {os.sched_getscheduler(pid) for pid in running} == {os.SCHED_BATCH}


def test_both_logins_of_the_demo_work(mesh: Mesh) -> None:
    description = mesh.describe()
    for who in ("operator", "platform_admin"):
        answer = httpx.post(f"{description['edge']['http']}/v1/sessions", json=description["demo"][who])
        assert answer.status_code == 200, answer.text


def subscribed_plan(description: dict[str, Any]) -> str:
    """What the demo company has subscribed to, as its operator sees it."""
    with httpx.Client(base_url=description["edge"]["http"]) as client:
        token = client.post("/v1/sessions", json=description["demo"]["operator"]).json()["accessToken"]
        path = f"/v1/companies/{description['demo']['company_id']}/subscription"
        answer = client.get(path, headers={"authorization": f"Bearer {token}"}).json()
    return str(answer["subscription"]["plan"])


def test_demo_company_is_on_professional(mesh: Mesh) -> None:
    assert subscribed_plan(mesh.describe()) == "professional"


def test_metrics_and_admin_pages_answer(mesh: Mesh) -> None:
    description = mesh.describe()
    pages = [
        f"{description['edge']['admin']}/ready",
        *(page for each in description["metrics"].values() for page in each),
    ]
    assert [httpx.get(page).status_code for page in pages] == [200] * len(pages)


async def test_stores_can_be_inspected_and_are_closed_to_the_nameless(mesh: Mesh) -> None:
    description = mesh.describe()
    connection = await asyncpg.connect(description["postgres"])
    assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    settings = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", DURABLE)
    assert {row["setting"] for row in settings} == {"on"}
    await connection.close()
    client = await nats.connect(description["nats"])
    assert (await client.jetstream().stream_info("SCANS")).config.name == "SCANS"
    await client.close()
    with redis.Redis.from_url(description["valkey"]) as valkey:
        assert valkey.config_get("save") == {"save": ""}
    nameless = urlsplit(description["valkey"])._replace(
        netloc=f"127.0.0.1:{urlsplit(description['valkey']).port}"
    )
    with redis.Redis.from_url(nameless.geturl()) as valkey, pytest.raises(redis.AuthenticationError):
        valkey.ping()


DURABLE = ["fsync", "synchronous_commit", "full_page_writes"]


async def test_roles_of_a_service_are_no_superusers(mesh: Mesh) -> None:
    connection = await asyncpg.connect(mesh.describe()["postgres"])
    roles = await connection.fetch(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'"
    )
    await connection.close()
    kinds = (("owner", False), ("app", False), ("worker", True))
    assert {tuple(role) for role in roles} == {
        (f"{service}_{kind}", False, bypasses) for service in SERVICES for kind, bypasses in kinds
    }


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_is_back_within_five_seconds(mesh: Mesh, part: str) -> None:
    before = mesh.describe()
    [pid] = before["processes"][part]
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        now = mesh.describe()
        return now["processes"][part] not in ([], [pid]) and accepts(now) and all_ready(mesh)

    eventually(is_back, seconds=BACK_SECONDS, what=f"{part} is back")
    after = mesh.describe()
    assert {**after, "processes": {}} == {**before, "processes": {}}
    assert {**after["processes"], part: []} == {**before["processes"], part: []}


def test_held_part_stays_down_until_it_is_released(mesh: Mesh) -> None:
    [pid] = mesh.describe()["processes"]["valkey"]
    valkey = ProcessId.of(pid)
    mesh.hold("valkey")
    assert not valkey.alive()
    assert mesh.describe()["processes"]["valkey"] == []
    mesh.release("valkey")
    [back] = mesh.describe()["processes"]["valkey"]
    assert ProcessId.of(back).alive()


def test_extra_environment_reaches_a_part_at_its_next_start(mesh: Mesh) -> None:
    mesh.environment("billing-ledger", {"BILLING_LOG_LEVEL": "WARNING"})
    [before] = mesh.describe()["processes"]["billing-ledger"]
    assert "BILLING_LOG_LEVEL" not in _environment(before)
    mesh.hold("billing-ledger")
    mesh.release("billing-ledger")
    [after] = mesh.describe()["processes"]["billing-ledger"]
    assert _environment(after)["BILLING_LOG_LEVEL"] == "WARNING"


def _environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def test_unknown_part_is_named(mesh: Mesh) -> None:
    with pytest.raises(MeshError, match="no part is called redis; there are: auth"):
        mesh.hold("redis")


def test_no_secret_is_in_a_log_or_acommand_line(mesh: Mesh) -> None:
    passwords = Passwords.of(mesh.home)
    roles = [f"postgres.{service}_{kind}" for service in SERVICES for kind in ("owner", "app", "worker")]
    users = [
        "postgres.postgres",
        *roles,
        *(f"nats.{name}" for name in SERVICES),
        "valkey.auth",
        "valkey.ratelimit",
    ]
    secrets = [passwords[name] for name in (*users, "auth.key_pepper", "platform_admin", "demo.operator")]
    secrets.append(mesh.describe()["demo"]["api_key"])
    texts = [log.read_text() for log in mesh.home.logs.iterdir()]
    texts += [command_line(Path(f"/proc/{process.pid}")) for process in processes(mesh.describe())]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_valkey_forgets_when_it_restarts(mesh: Mesh) -> None:
    with redis.Redis.from_url(mesh.describe()["valkey"]) as valkey:
        valkey.set("test:forgotten", "1")
        mesh.hold("valkey")
        mesh.release("valkey")
        assert valkey.get("test:forgotten") is None


def test_second_mesh_beside_the_first_and_nothing_left_of_it(mesh: Mesh, tmp_path: Path) -> None:
    second = Mesh(tmp_path / 'it\'s "a" home, with {all}')
    assert second.up()
    try:
        description, running = second.describe(), processes(second.describe())
        assert not ports(description) & ports(mesh.describe())
        assert not second.up()  # it is up already
        assert second.describe() == description
    finally:
        started = time.monotonic()
        assert second.down()
    assert time.monotonic() - started < BACK_SECONDS
    assert_gone(second, running, ports(description))
    assert not second.down()  # nothing ran
    assert accepts(mesh.describe())

    # The same home again: same ports, same demo. Then its supervisor is killed, and with it goes everything else.
    assert second.up()
    try:
        again, running = second.describe(), processes(second.describe())
        assert {**again, "processes": {}} == {**description, "processes": {}}
        os.kill(again["processes"]["supervisor"][0], signal.SIGKILL)
    finally:
        assert second.down()
    assert_gone(second, running, ports(again))


def assert_gone(mesh: Mesh, running: list[ProcessId], its_ports: set[int]) -> None:
    assert not [process for process in running if process.alive()]
    assert not [port for port in its_ports if listens(port)]
    assert not of_home(mesh.home.root)
    assert not mesh.home.mesh_file.exists()


def as_stranger(*argv: str, home: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as a user who is neither root nor the owner of the checkout."""
    change = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--"]
    environ = {"PATH": os.environ["PATH"], "SCANMESH_HOME": str(home), "SCANMESH_PORT": "0"}
    return subprocess.run(
        [*change, *argv], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, **options
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_has_a_mesh_of_its_own() -> None:
    with TemporaryDirectory() as folder:  # not tmp_path: nobody but root may enter that one
        os.chown(folder, STRANGER, STRANGER)
        home = Path(folder)
        if as_stranger("test", "-x", sys.executable, home=home).returncode:
            pytest.skip("that user cannot read the checkout or its Python")
        try:
            up = as_stranger(sys.executable, "-m", "deploy.local", "up", home=home)
            assert up.returncode == 0, up.stderr
            description = json.loads((home / "mesh.json").read_text())
            owners = {Path(f"/proc/{process.pid}").stat().st_uid for process in processes(description)}
            assert owners == {STRANGER}
            assert accepts(description)
            down = as_stranger(sys.executable, "-m", "deploy.local", "down", home=home)
            assert down.returncode == 0, down.stderr
        finally:
            Mesh(home).down()
