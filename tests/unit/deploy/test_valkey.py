from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import valkey
from tests.unit.deploy.sites import site


def test_valkey_stores_nothing_and_never_evicts(tmp_path: Path) -> None:
    lines = valkey.configuration(site(tmp_path), "/acl").splitlines()
    assert {'save ""', "appendonly no", "maxmemory-policy noeviction", "bind 127.0.0.1"} <= set(lines)


def test_nobody_gets_in_without_a_name(tmp_path: Path) -> None:
    assert "user default off" in valkey.users(site(tmp_path)).splitlines()


@pytest.mark.parametrize("service", valkey.ACCESS)
def test_no_service_may_touch_all_keys_or_administrate(tmp_path: Path, service: str) -> None:
    here = site(tmp_path)
    [line] = [line for line in valkey.users(here).splitlines() if line.startswith(f"user {service} ")]
    assert "~*" not in line.split()
    assert {"-@admin", "-@dangerous", "-@scripting"} <= set(line.split())
    assert here.passwords[f"valkey.{service}"] not in line
