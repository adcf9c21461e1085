from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from deploy.local import envoy
from tests.unit.deploy.sites import site


def test_template_knows_no_other_names(tmp_path: Path) -> None:
    rendered = envoy.configuration(site(tmp_path / "a, b: {c}"), envoy.TEMPLATE.read_text())
    assert str(tmp_path / "a, b: {c}" / "tls") in json.dumps(yaml.safe_load(rendered))


def test_each_replica_is_an_endpoint(tmp_path: Path) -> None:
    here = site(tmp_path, replicas=2)
    endpoints = json.loads(envoy.configuration(here, "$AUTH_ENDPOINTS"))
    ports = [each["endpoint"]["address"]["socket_address"]["port_value"] for each in endpoints]
    assert ports == [here.ports["auth-1"], here.ports["auth-2"]]


@pytest.mark.parametrize(("limit", "rendered"), [(0, "1 0"), (1000, "1000 100")])
def test_limit_of_zero_is_off(tmp_path: Path, limit: int, rendered: str) -> None:
    text = envoy.configuration(site(tmp_path, edge_limit=limit), "$ADDRESS_LIMIT $ADDRESS_LIMIT_PERCENT")
    assert text == rendered


def test_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="SURPRISE"):
        envoy.configuration(site(tmp_path), "$SURPRISE")
