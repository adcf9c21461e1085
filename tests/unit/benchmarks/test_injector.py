"""What the injector does to processes: these here are children of the test, which stands for the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos import processes
from benchmarks.chaos.faults import Act, Fault
from benchmarks.chaos.injector import Injector, Injury
from benchmarks.mesh import Description

NAMES = ("ingest", "nats")


class Children:
    """Two parts, each a process that does nothing; mesh.json that names them."""

    def __init__(self) -> None:
        self.of = {name: [_start()] for name in NAMES}

    def describe(self) -> Description:
        """Start again what has ended, as the supervisor does, and answer mesh.json."""
        for name, (child,) in self.of.items():
            if child.poll() is not None:
                self.of[name] = [_start()]
        return self.as_they_are()

    def as_they_are(self) -> Description:
        pids = {name: [child.pid for child in children] for name, children in self.of.items()}
        return {"processes": {**pids, "supervisor": [os.getpid()]}}

    def end(self) -> None:
        for [child] in self.of.values():
            child.kill()
            child.wait()


def _start() -> subprocess.Popen[bytes]:
    # As a server does, it heeds an interrupt even when this runs in the background of a shell, which has it ignored.
    return subprocess.Popen(["env", "--default-signal=INT", "sleep", "60"])


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
    yield children
    children.end()


def fault(act: Act, *, process: str = "nats", seconds: float = 0.0) -> Fault:
    return Fault(at=0.0, process=process, replica=0.5, act=act, seconds=seconds, whole=True)


def suffer(children: Children, *faults: Fault, seconds: float = 5.0) -> list[Injury]:
    return asyncio.run(Injector(children.describe, NAMES).run(faults, seconds))


def is_stopped(child: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize(("act", "ending"), [(Act.KILL, signal.SIGKILL), (Act.RESTART, signal.SIGTERM)])
def test_process_is_ended_and_awaited(children: Children, act: Act, ending: signal.Signals) -> None:
    [before], [other] = children.of["nats"], children.of["ingest"]
    [injury] = suffer(children, fault(act))
    assert before.returncode == -ending
    assert other.poll() is None
    assert (injury.what, injury.ended) == (f"{act} nats", ("nats",))
    assert injury.back is not None
    assert injury.back > injury.began


def test_postgres_is_asked_for_a_fast_end(children: Children) -> None:
    children.of["postgres"] = children.of.pop("nats")
    [before] = children.of["postgres"]
    asyncio.run(Injector(children.describe, ["postgres"]).run([fault(Act.RESTART, process="postgres")], 5.0))
    assert before.returncode == -signal.SIGINT


def test_process_stands_still_for_as_long_as_planned(children: Children) -> None:
    [child] = children.of["nats"]

    async def watched() -> tuple[bool, list[Injury]]:
        run = asyncio.create_task(Injector(children.describe, NAMES).run([fault(Act.STOP, seconds=0.3)], 5.0))
        await asyncio.sleep(0.15)
        return is_stopped(child), await run

    stopped, [injury] = asyncio.run(watched())
    assert stopped
    assert not is_stopped(child)
    assert injury.back is not None
    assert 0.3 <= injury.back - injury.began < 1.0


def test_stop_ends_with_the_run(children: Children) -> None:
    [child] = children.of["nats"]
    [injury] = suffer(children, fault(Act.STOP, seconds=10.0), seconds=0.2)
    assert injury.back is not None
    assert injury.back - injury.began < 1.0
    assert not is_stopped(child)


def test_interrupted_run_leaves_nothing_stopped(children: Children) -> None:
    [child] = children.of["nats"]

    async def interrupted() -> bool:
        run = asyncio.create_task(
            Injector(children.describe, NAMES).run([fault(Act.STOP, seconds=10.0)], 20.0)
        )
        await asyncio.sleep(0.1)
        was_stopped = is_stopped(child)
        run.cancel()
        await asyncio.wait({run})
        return was_stopped

    assert asyncio.run(interrupted())
    assert not is_stopped(child)


def test_fault_meets_another_when_none_of_its_name_lives(children: Children) -> None:
    [gone], [before] = children.of["nats"], children.of["ingest"]
    gone.kill()
    gone.wait()
    chosen = Injector(children.as_they_are, NAMES)
    [injury] = asyncio.run(chosen.run([fault(Act.STOP, seconds=0.1)], 5.0))
    assert (injury.what, injury.ended) == ("stop ingest", ())
    assert before.poll() is None


def test_nothing_lives_until_the_end(children: Children) -> None:
    for [child] in children.of.values():
        child.kill()
        child.wait()
    assert asyncio.run(Injector(children.as_they_are, NAMES).run([fault(Act.KILL)], 0.1)) == []


def test_pid_of_a_stranger_is_no_process_of_the_mesh(children: Children) -> None:
    recycled = {"processes": {**children.as_they_are()["processes"], "nats": [1]}}
    living = processes.living(recycled)
    assert living["nats"] == []
    assert [replica.process.pid for replica in living["ingest"]] == recycled["processes"]["ingest"]
    assert processes.missing(recycled, {"nats": 1, "ingest": 1}) == ["nats"]
