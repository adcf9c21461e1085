from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import settings
from deploy.local.settings import ROOT, Settings
from services.chassis.settings import SettingsError


def test_defaults_are_those_of_the_readme() -> None:
    assert settings.load({}) == Settings(home=ROOT / ".scanmesh", port=8080, edge_limit=0, replicas=1)


def test_settings_survive_the_environment_of_the_supervisor(tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path, port=0, edge_limit=1000, replicas=3)
    assert settings.load(chosen.environ()) == chosen


def test_relative_home_is_made_absolute() -> None:
    assert settings.load({"SCANMESH_HOME": "mesh"}).home == Path.cwd() / "mesh"


def test_variables_of_others_are_left_alone() -> None:
    assert settings.load({"SCANMESH_BENCH_SECONDS": "5"}).port == 8080


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SCANMESH_PORT": "http"}, "SCANMESH_PORT"),
        ({"SCANMESH_PORT": "65535"}, "SCANMESH_PORT"),
        ({"SCANMESH_REPLICAS": "0"}, "SCANMESH_REPLICAS"),
        ({"SCANMESH_EDGE_LIMIT": "-1"}, "SCANMESH_EDGE_LIMIT"),
    ],
)
def test_impossible_value_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings.load(environ)


def test_replicas_have_part_names_of_their_own() -> None:
    assert Settings(replicas=1).replica_names("auth") == ["auth"]
    assert Settings(replicas=2).replica_names("auth") == ["auth-1", "auth-2"]
