from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.local.failures import CannotStart
from deploy.local.home import Home, write_private
from deploy.local.passwords import Passwords


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_is_closed_to_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    home.create()
    assert mode(home.root) == 0o700


def test_home_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(CannotStart, match="SCANMESH_HOME"):
        Home(tmp_path / "home").create()


def test_private_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "mesh.json"
    file.write_text("old")
    file.chmod(0o644)
    with file.open() as reader:
        write_private(file, "new", durable=True)
        assert reader.read() == "old"
    assert (file.read_text(), mode(file)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "mesh.json"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"mesh\.json"):
        write_private(in_the_way, "new")
    assert list(tmp_path.iterdir()) == [in_the_way]


def test_passwords_are_made_once_and_differ(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = Passwords.of(home)
    assert first["nats.auth"] == Passwords.of(home)["nats.auth"] != first["nats.ingest"]
    assert mode(home.secrets_file) == 0o600
    assert first["nats.auth"] not in home.secrets_file.read_text()
    assert len(first["nats.auth"]) == 43
    other = Home(tmp_path / "other")
    other.create()
    assert Passwords.of(other)["nats.auth"] != first["nats.auth"]
