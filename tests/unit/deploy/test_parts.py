from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import layout
from deploy.local.parts import Part, check_needs, dependents
from deploy.local.roster import SERVICES
from deploy.local.unit import command
from deploy.local.valkey import ACCESS
from tests.unit.deploy.sites import site


def part(name: str, *needs: str) -> Part:
    return Part(name=name, argv=("true",), needs=needs)


def test_all_parts_of_the_mesh_can_start_in_some_order(tmp_path: Path) -> None:
    check_needs(layout.parts(site(tmp_path, replicas=2)))


def test_circle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        check_needs([part("a", "b"), part("b", "a"), part("c")])


def test_unknown_need_is_refused() -> None:
    with pytest.raises(ValueError, match="bus"):
        check_needs([part("a", "bus")])


def test_dependents_are_those_that_name_it() -> None:
    assert dependents([part("a"), part("b", "a"), part("c", "b")], "a") == {"b"}


def test_no_secret_is_visible_in_a_command_line(tmp_path: Path) -> None:
    here = site(tmp_path)
    words = " ".join(word for each in layout.parts(here) for word in command(each))
    names = [
        "postgres.postgres",
        *(f"postgres.{service}_{kind}" for service in SERVICES for kind in ("owner", "app", "worker")),
        *(f"nats.{user}" for user in ("provisioner", *SERVICES)),
        *(f"valkey.{user}" for user in ("inspector", *ACCESS)),
        "platform_admin",
        "auth.key_pepper",
    ]
    assert not [name for name in names if here.passwords[name] in words]
