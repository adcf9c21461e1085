from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from deploy.local import postgres, roles
from deploy.local.roster import PROCESSES
from tests.unit.deploy.sites import site


def test_configuration_is_durable_and_on_loopback_only(tmp_path: Path) -> None:
    lines = postgres.configuration(site(tmp_path), tmp_path / "it's hba").splitlines()
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert f"{setting} = on" in lines
    assert "listen_addresses = '127.0.0.1'" in lines
    assert "unix_socket_directories = ''" in lines
    assert f"hba_file = '{tmp_path}/it''s hba'" in lines


def test_connections_grow_with_the_processes(tmp_path: Path) -> None:
    def connections(replicas: int) -> int:
        text = postgres.configuration(site(tmp_path, replicas=replicas), tmp_path)
        return int(text.partition("max_connections = ")[2].split()[0])

    assert connections(3) - connections(1) == 2 * len(PROCESSES) * 15


def test_script_gives_each_service_an_owner_an_app_and_a_worker(tmp_path: Path) -> None:
    script = roles.script("scanmesh", ["auth", "billing"], site(tmp_path).passwords)
    for role, flag in (("owner", "NOBYPASSRLS"), ("app", "NOBYPASSRLS"), ("worker", "BYPASSRLS")):
        for service in ("auth", "billing"):
            assert f"ALTER ROLE {service}_{role} LOGIN NOSUPERUSER" in script
            assert f"NOREPLICATION {flag} PASSWORD" in script
    assert "CREATE SCHEMA IF NOT EXISTS billing AUTHORIZATION billing_owner" in script
    assert "ALTER ROLE billing_app SET search_path = billing;" in script


def test_script_holds_no_password_and_does_not_change(tmp_path: Path) -> None:
    passwords = site(tmp_path).passwords
    script = roles.script("scanmesh", ["auth"], passwords)
    assert passwords["postgres.auth_app"] not in script
    assert script == roles.script("scanmesh", ["auth"], passwords)


def test_scram_verifier_proves_the_password() -> None:
    """RFC 5802, section 3: the server accepts a proof that hashes back to the stored key."""
    verifier = roles.scram_verifier("pencil", salt=b"W22ZaJ0SNY7soEsUEjb6gQ==")
    method, iterations_and_salt, keys = verifier.split("$")
    iterations, salt = iterations_and_salt.split(":")
    stored_key = base64.b64decode(keys.split(":")[0])
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert method == "SCRAM-SHA-256"
    assert hashlib.sha256(client_key).digest() == stored_key
