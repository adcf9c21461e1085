from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from deploy.local.process import ProcessId, end, with_children


def test_recycled_pid_is_another_process() -> None:
    me = ProcessId.of(os.getpid())
    assert me.alive()
    for other in (replace(me, started=me.started - 1), replace(me, boot="another boot")):
        assert not other.alive()
        other.send(signal.SIGKILL)  # else this test would not end


def test_end_waits_then_kills() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        process = ProcessId.of(child.pid)
        end([process], grace_seconds=0.05)
        assert not process.alive()
        assert child.wait() == -signal.SIGKILL


def test_zombie_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        process = ProcessId.of(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process.alive()


def test_one_whose_first_thread_has_ended_is_alive_while_another_runs() -> None:
    """As a server is for a moment that is killed: its ports are open until the last thread is gone."""
    exit_of_a_thread = 60  # on x86_64, the only machine that a local mesh runs on
    script = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start();"
        f"print(flush=True); ctypes.CDLL(None).syscall({exit_of_a_thread}, 0)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            process = ProcessId.of(child.pid)
            until_zombie(child.pid)
            assert process.alive()
            end([process], grace_seconds=0.0)
            assert not process.alive()
        finally:
            child.kill()


def until_zombie(pid: int) -> None:
    deadline = time.monotonic() + 10.0
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "its first thread has not ended"
        time.sleep(0.01)


def test_children_end_with_their_parent() -> None:
    script = "sleep 600 & echo; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        family = with_children([ProcessId.of(parent.pid)])
        assert len(family) == 2
        end(family, grace_seconds=0.0)
        assert with_children(family) == []
