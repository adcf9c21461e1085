from __future__ import annotations

from pathlib import Path

from deploy.local import valkey
from tests.unit.deploy.sites import site


def test_valkey_stores_nothing_and_never_evicts(tmp_path: Path) -> None:
    lines = valkey.configuration(site(tmp_path), "/acl").splitlines()
    assert {'save ""', "appendonly no", "maxmemory-policy noeviction", "bind 127.0.0.1"} <= set(lines)


def test_nobody_gets_in_without_a_name(tmp_path: Path) -> None:
    assert "user default off" in valkey.users(site(tmp_path)).splitlines()


def test_service_may_touch_its_own_keys_only(tmp_path: Path) -> None:
    here = site(tmp_path)
    [auth] = [line for line in valkey.users(here).splitlines() if line.startswith("user auth ")]
    assert "~scanner:auth:* ~session:auth:* ~{c:*" in auth
    assert "~*" not in auth.split()
    assert "-@admin" in auth
    assert here.passwords["valkey.auth"] not in auth
