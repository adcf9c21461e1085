"""A disk with a power switch: an ext4 file system in a file, which loses what was not flushed when it is cut off.

It can be filled as well.
Mounted in a mount namespace of this process and its children, so it is gone when they are, whatever ends them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES = 16 * 2**30
"""Of a file with holes: it takes what is written to it."""
_TRIAL_BYTES = 16 * 2**20
_CLONE_NEWNS = 0x00020000
_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
_WITHOUT_FLUSH = struct.pack("I", 2)
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what waits in memory is lost, the journal's last entries among it."""
_BLOCK_BYTES = 4096
_BUSY_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


class NoDisk(Exception):
    """This machine does not let us have one; says why."""


class Disk:
    """One, of this process' own."""

    def __init__(self, size: int = _BYTES) -> None:
        self._size = size
        self._folder = Path()

    @contextmanager
    def mounted(self, folder: Path) -> Iterator[None]:
        """Have it at `folder`, empty, its image beside it; afterwards it is unmounted.

        Raises:
            NoDisk: that cannot be done here.
        """
        self._folder = folder
        _enter_namespace()
        folder.mkdir(parents=True, exist_ok=True)
        with self._image.open("xb") as file:
            file.truncate(self._size)
        # Nothing is kept for root: it is full for everyone at once.
        _run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", str(self._image))
        self._mount()
        try:
            yield
        finally:
            self._unmount()

    def cut(self) -> None:
        """Cut the power: from now on nothing is written, and what was not flushed is lost."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(descriptor)

    def start(self) -> None:
        """Have it again after a cut, with what had reached it; nobody may have a file of it open.

        Raises:
            NoDisk: it cannot be unmounted or mounted.
        """
        self._unmount()
        self._mount()

    def fill(self, left: int) -> None:
        """Take all of its room but so many bytes, until `clear`; also through a cut."""
        with self._filler.open("ab") as file:
            room = shutil.disk_usage(self._folder).free - left
            while room >= _BLOCK_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), room)
                except OSError as error:  # the file system needs some of it for its own books
                    if error.errno != errno.ENOSPC:
                        raise
                    room //= 2
                else:
                    room = shutil.disk_usage(self._folder).free - left
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self._folder / "filler"

    @property
    def _image(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}.img")

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self._folder))

    def _unmount(self) -> None:
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return _run("umount", str(self._folder))
            except NoDisk:  # a process that was killed has not let go of it yet
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)


def require() -> None:
    """Try to have one.

    Raises:
        NoDisk: that cannot be done here.
    """
    with tempfile.TemporaryDirectory() as folder, Disk(_TRIAL_BYTES).mounted(Path(folder) / "disk"):
        pass


def _enter_namespace() -> None:
    """Mount for ourselves alone from now on."""
    if os.geteuid() != 0:
        raise NoDisk("only root may mount one")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise NoDisk(f"no namespace for it: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        raise NoDisk(f"there is no {command[0]}")
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if ran.returncode:
        raise NoDisk(f"{command[0]}: {ran.stderr.strip()}")
