"""Where it was measured, and of which state of the sources."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.settings import ROOT


def describe() -> Mapping[str, Any]:
    """Answer processor, cores, memory, kernel and Python."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": round(int(_line("/proc/meminfo", "MemTotal").split()[0]) * 1024 / 1e6),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Answer the commit of the sources, with a `+` when files differ from it; say so if they are no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return "not a checkout"
    changed = "+" if _git(git, "status", "--porcelain") else ""
    return _git(git, "rev-parse", "HEAD") + changed


def _git(git: str, *arguments: str) -> str:
    done = subprocess.run([git, "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)  # noqa: S603 - arguments of our own
    return done.stdout.strip()


def _line(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(name))
