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


def test_a_full_disk_takes_nothing_also_after_a_cut_until_it_is_cleared(tmp_path: Path) -> None:
    ran = run(
        """
        import shutil
        from benchmarks.disk import Disk

        def free():
            return round(shutil.disk_usage(folder / "data").free / 2**20)

        def write():
            try:
                (folder / "data" / "more").write_bytes(bytes(2**20))
            except OSError as error:
                return error.strerror
            return "written"

        disk = Disk(64 * 2**20)
        with disk.mounted(folder / "data"):
            before = free()
            disk.fill(16 * 2**20)
            print(free())
            disk.fill(0)
            print(write())
            disk.cut()
            disk.start()
            print(write())
            disk.clear()
            print(before - free(), write())
        """,
        tmp_path,
    )
    full = "No space left on device"
    assert ran.stdout.splitlines() == ["16", full, full, "0 written"], ran.stderr


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
