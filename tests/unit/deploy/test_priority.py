"""Work that nobody waits for goes behind what a device waits for."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import priority

AUTOGROUPS = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel shares between processes alone"
)

POLICIES = pytest.mark.skipif(
    os.sched_getscheduler(0) not in {os.SCHED_OTHER, os.SCHED_BATCH},
    reason="somebody has chosen another policy",
)


@pytest.fixture
def started() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        yield child
        child.kill()


def of_session(pid: int) -> int:
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


async def test_a_process_goes_behind_those_beside_it(started: subprocess.Popen[bytes]) -> None:
    before = os.getpriority(os.PRIO_PROCESS, started.pid)
    await priority.lower(started.pid, 7)
    assert os.getpriority(os.PRIO_PROCESS, started.pid) == min(before + 7, 19)
    await priority.lower(started.pid, 19)  # there is nothing behind the last one
    assert os.getpriority(os.PRIO_PROCESS, started.pid) == 19


def policy_after(*, before: int) -> list[int]:
    """Answer policy and nice value of what a process starts that has a policy, and a nice value of 3, and takes turns."""
    script = (
        "import os, subprocess, sys; from deploy.local import priority;"
        f"os.sched_setscheduler(0, {before}, os.sched_param(0)); os.nice(3); priority.take_turns();"
        "told = 'import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))';"
        "subprocess.run([sys.executable, '-c', told])"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return [int(word) for word in said.stdout.split()]


@POLICIES
def test_who_takes_turns_keeps_its_priority_and_hands_both_on() -> None:
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + 3, 19)
    assert policy_after(before=os.SCHED_OTHER) == [os.SCHED_BATCH, nice]


@POLICIES
def test_a_policy_that_somebody_has_chosen_stays() -> None:
    assert policy_after(before=os.SCHED_IDLE)[0] == os.SCHED_IDLE


def test_who_may_not_is_told_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def never(*_: object) -> None:
        raise PermissionError("refused")

    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_OTHER)
    monkeypatch.setattr(os, "sched_setscheduler", never)
    with caplog.at_level(logging.WARNING):
        priority.take_turns()
    assert "refused" in caplog.text


@AUTOGROUPS
async def test_so_does_its_session_though_not_at_the_first_try(
    started: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tries = Path.write_text, []

    def later(self: Path, text: str, **kwargs: Any) -> int:
        tries.append(text)
        if len(tries) < 3:
            raise BlockingIOError
        return write(self, text, **kwargs)

    monkeypatch.setattr(Path, "write_text", later)
    await priority.lower(started.pid, 7)
    assert of_session(started.pid) == 7
    assert len(tries) == 3


@pytest.mark.parametrize("error", [PermissionError("refused"), OSError(errno.EROFS, "refused")], ids=repr)
@pytest.mark.parametrize("where", [(Path, "write_text"), (os, "setpriority")], ids=["session", "process"])
async def test_one_that_may_not_is_told_and_runs_all_the_same(
    started: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: tuple[Any, str],
    error: OSError,
) -> None:
    def never(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(*where, never)
    with caplog.at_level(logging.WARNING):
        await priority.lower(started.pid, 7)
    assert "refused" in caplog.text
    assert started.poll() is None


async def test_so_is_one_whose_session_is_never_let_write(
    started: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(*_: object, **__: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(Path, "write_text", busy)
    monkeypatch.setattr(priority, "_TRY_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING):
        await priority.lower(started.pid, 7)
    assert "could not be written in time" in caplog.text


def test_one_that_has_ended_is_let_go() -> None:
    with subprocess.Popen(["true"], start_new_session=True) as child:
        child.wait()
    asyncio.run(priority.lower(child.pid, 7))
