"""Logs, one file per part: appended to by the part itself, kept from growing without end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 32 * 2**20
_SHOWN_LINES = 12
_SHOWN_BYTES = 16_384


def trim(path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Move a log that has grown too large to `<name>.1`, in place of the one before.

    The part keeps its open file, so the text is copied and the file emptied; what is written in between is lost.
    Everyone opens logs for appending, so the next line goes to the new beginning.
    """
    if path.exists() and path.stat().st_size > max_bytes:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as file:
            file.truncate()


def appending(path: Path) -> BinaryIO:
    """Open a log for appending; it is its owner's alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def tail(path: Path, *, start: int = 0) -> list[str]:
    """Answer the last lines of a log, none from before the byte `start`."""
    if not path.exists():
        return []
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(min(size, max(start, size - _SHOWN_BYTES)))
        text = file.read().decode(errors="replace")
    return text.splitlines()[-_SHOWN_LINES:]


def size(path: Path) -> int:
    """Answer the length of a log in bytes, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0
