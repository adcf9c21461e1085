from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

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


def test_children_end_with_their_parent() -> None:
    script = "sleep 600 & echo; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        family = with_children([ProcessId.of(parent.pid)])
        assert len(family) == 2
        end(family, grace_seconds=0.0)
        assert with_children(family) == []
