"""The disk with a power switch. In a process of its own: what mounts it has left the mounts of the machine behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.disk import NoDisk
from deploy.local.settings import ROOT


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    source = f"from pathlib import Path\nfolder = Path({str(folder)!r})\n" + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module", autouse=True)
def possible(tmp_path_factory: pytest.TempPathFactory) -> None:
    tried = run("from benchmarks import disk\ndisk.require()", tmp_path_factory.getbasetemp())
    if tried.returncode:
        assert NoDisk.__name__ in tried.stderr
        pytest.skip(tried.stderr.splitlines()[-1])


def test_what_was_flushed_survives_a_cut_and_nothing_else(tmp_path: Path) -> None:
    ran = run(
        """
        import os
        from benchmarks.disk import Disk

        disk = Disk(32 * 2**20)
        with disk.mounted(folder / "data"):
            with (folder / "data" / "flushed").open("w") as file:
                file.write("text")
                file.flush()
                os.fsync(file.fileno())
            (folder / "data" / "written").write_text("text")
            disk.cut()
            disk.start()
            print(sorted(path.name for path in (folder / "data").iterdir()))
            print((folder / "data" / "flushed").read_text())
        """,
        tmp_path,
    )
    assert ran.stdout.splitlines() == ["['flushed', 'lost+found']", "text"], ran.stderr


def test_nothing_is_left_mounted_whatever_ends_its_process(tmp_path: Path) -> None:
    ran = run(
        """
        import os, signal
        from benchmarks.disk import Disk

        with Disk(32 * 2**20).mounted(folder / "data"):
            assert (folder / "data").is_mount()
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
    )
    assert ran.returncode == -9, ran.stderr
    assert not (tmp_path / "data").is_mount()


def test_a_disk_in_use_cannot_be_started_again(tmp_path: Path) -> None:
    ran = run(
        """
        from benchmarks import disk

        disk._BUSY_SECONDS = 0.2
        mounted = disk.Disk(32 * 2**20)
        with mounted.mounted(folder / "data"):
            with (folder / "data" / "open").open("w"):
                mounted.cut()
                try:
                    mounted.start()
                except disk.NoDisk as error:
                    print(error)
        """,
        tmp_path,
    )
    assert "busy" in ran.stdout, ran.stderr
