"""A mesh that cannot start says which part, why and where its log is, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.failures import MeshError
from deploy.local.mesh import Mesh
from deploy.local.settings import ROOT
from tests.system.actors import eventually
from tests.system.running import BACK_SECONDS, of_home


def test_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MeshError, match=f"port {port} is taken"):
            Mesh(tmp_path / "home", port=port).up()


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Mesh]:
    """A mesh whose NATS finds a file in the place of its store."""
    mesh = Mesh(tmp_path / "home")
    mesh.home.create()
    (mesh.home.data / "nats").write_text("not a folder")
    yield mesh
    mesh.down()


def test_failed_start_names_part_reason_and_log_and_stops_the_rest(broken: Mesh) -> None:
    with pytest.raises(MeshError) as failure:
        broken.up()
    message = str(failure.value)
    assert message.startswith("nats did not start: exited with code 1\n")
    assert "not a directory" in message
    assert message.endswith(f"log: {broken.home.log('nats')}")
    eventually(lambda: not of_home(broken.home.root), seconds=BACK_SECONDS, what="everything is stopped")


def test_command_line_says_the_same(broken: Mesh) -> None:
    environ = {**os.environ, "SCANMESH_HOME": str(broken.home.root), "SCANMESH_PORT": "0"}
    run = subprocess.run(
        [sys.executable, "-m", "deploy.local", "up"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "nats did not start" in run.stderr
    assert "Traceback" not in run.stderr
