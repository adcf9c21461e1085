"""What a machine must be to run a local mesh."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import sys

from deploy.local.failures import CannotStart

NEEDS = "The local mesh needs Linux x86_64, glibc 2.31 or newer, Python 3.11 or newer with venv, and make."
UNPRIVILEGED = 65_534
"""The user, `nobody`, under which PostgreSQL runs when the mesh is root's."""
_GLIBC = (2, 31)
_PYTHON = (3, 11)


def check() -> None:
    """Refuse a machine on which the wheels' programs would not run.

    Raises:
        CannotStart: says what is needed.
    """
    is_linux = (sys.platform, platform.machine()) == ("linux", "x86_64")
    if not is_linux or glibc() < _GLIBC or sys.version_info < _PYTHON:
        raise CannotStart(NEEDS)
    if shutil.which("setpriv") is None:
        raise CannotStart("setpriv is missing: it belongs to util-linux")
    if not _has_name(os.geteuid() or UNPRIVILEGED):
        raise CannotStart("PostgreSQL runs only under a user that has a name: a line in /etc/passwd")


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def glibc() -> tuple[int, ...]:
    """Answer the version of glibc; (0,) where there is another C library."""
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return (0,)
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    return tuple(int(part) for part in version.split(".")) if name == "glibc" else (0,)
