"""Check the .proto files with buf: lint, format, and breaking changes since the last released `protos-v*` tag.

    python protos/lint.py

Works offline. All checks run, whatever the first one says; the exit code is not 0 if any of them complains.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from generate import GOOGLEAPIS, HERE

BUF = Path(sysconfig.get_path("scripts")) / "buf"
OURS = ("--path", "scanmesh")
"""What is ours to format; the module beside them is Google's."""


def main() -> None:
    """Run every check and exit with 1 if one of them complains."""
    provide_imports(HERE)
    checks = [buf("lint"), buf("format", "--diff", "--exit-code", *OURS)]
    if tag := last_release():
        checks.append(compatible_with(tag))
    else:
        print("no protos-v* tag: nothing to be compatible with yet")
    sys.exit(0 if all(checks) else 1)


def provide_imports(root: Path) -> None:
    """Copy Google's .proto files into the module that buf.yaml keeps for them: buf reads no file outside."""
    target = root / "build" / "googleapis"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(GOOGLEAPIS / "google", target / "google", ignore=all_but_protos)


def all_but_protos(folder: str, names: list[str]) -> list[str]:
    """Return the files of a folder that are no .proto files: `shutil.copytree` leaves these out."""
    return [name for name in names if not name.endswith(".proto") and not (Path(folder) / name).is_dir()]


def last_release() -> str:
    """Return the newest `protos-v*` tag; empty before the first release, and outside a git checkout."""
    tags = git("tag", "--list", "protos-v*", "--sort=-version:refname").decode().split()
    return tags[0] if tags else ""


def compatible_with(tag: str) -> bool:
    """Tell whether firmware that compiles the sources of `tag` compiles and runs with these.

    Compares image with image: buf refuses to compare a workspace of several modules with one of another number.
    """
    with tempfile.TemporaryDirectory() as scratch:
        before = Path(scratch) / "before"
        with tarfile.open(fileobj=io.BytesIO(git("archive", tag))) as archive:
            archive.extractall(before, filter="data")
        provide_imports(before)
        then, now = f"{scratch}/then.binpb", f"{scratch}/now.binpb"
        built = buf("build", "-o", then, at=before) and buf("build", "-o", now)
        return built and buf("breaking", now, "--against", then, "--config", "buf.yaml", "--path", "scanmesh")


def buf(*arguments: str, at: Path = HERE) -> bool:
    """Run buf in a folder and tell whether it was content."""
    return subprocess.run([BUF, *arguments], cwd=at, check=False).returncode == 0


def git(*arguments: str) -> bytes:
    """Return what git says of this folder; nothing where there is no checkout, such as in an unpacked archive."""
    command = ["git", *arguments]  # whichever git made the checkout
    return subprocess.run(command, cwd=HERE, check=False, capture_output=True).stdout


if __name__ == "__main__":
    main()
