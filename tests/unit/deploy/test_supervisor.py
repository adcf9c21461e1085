"""The supervisor with parts that are nothing but shell commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Self

import pytest

from deploy.local import dropins, log, state, supervisor, unit
from deploy.local.failures import StartFailed
from deploy.local.parts import Check, NotReady, Part
from deploy.local.site import Site
from deploy.local.supervisor import Supervisor
from tests.servers import polling
from tests.unit.deploy import sites

FOREVER = "exec sleep 600"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = sites.site(tmp_path / "home")
    site.home.create()
    site.home.demo_file.write_text("{}")
    return site


def step(name: str, script: str, *needs: str, marker: Path | None = None) -> Part:
    return Part(name=name, argv=("sh", "-c", script), needs=needs, marker=marker)


def server(
    name: str, script: str, *needs: str, ready_when: Path | None = None, alive: Check | None = None
) -> Part:
    async def ready() -> None:
        if ready_when is not None and not ready_when.exists():
            raise NotReady("its file is missing")

    return Part(name=name, argv=("sh", "-c", script), needs=needs, ready=ready, alive=alive)


class Answers:
    """What a part answers when it is asked whether it works, each in its turn, and the last one from then on."""

    def __init__(self, *answers: Exception | None) -> None:
        self.asked = 0
        self._answers = answers

    async def __call__(self) -> None:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if answer is not None:
            raise answer


class Running:
    """A supervisor that runs in the background of a test."""

    def __init__(self, site: Site, *parts: Part) -> None:
        self.site = site
        self.supervisor = Supervisor(site, parts, lambda _: None)
        self.stop = asyncio.Event()
        self.up = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.supervisor.run(self.stop, self.up.set))
        await asyncio.wait_for(self.up.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 10)

    def pid(self, name: str) -> int:
        [part] = state.read(self.site.home).named(name)
        return part.process.pid if part.process else 0

    def state(self, name: str) -> str:
        [part] = state.read(self.site.home).named(name)
        return part.state

    async def until_state(self, name: str, wanted: str, *, but_pid: int = 0) -> None:
        async def is_so() -> bool:
            return self.state(name) == wanted and self.pid(name) != but_pid

        await polling.eventually(is_so, f"{name} to be {wanted}")


async def test_parts_start_after_what_they_need_and_stop_before_it(site: Site, tmp_path: Path) -> None:
    told = tmp_path / "told"
    says = "trap 'echo stop {0} >> {1}; exit' TERM; echo start {0} >> {1}; touch {1}.{0}; sleep 600 & wait"
    parts = [
        server(name, says.format(name, told), *needs, ready_when=told.with_suffix(f".{name}"))
        for name, needs in (("edge", ("service",)), ("service", ("tables",)), ("store", ()))
    ]
    async with Running(site, *parts, step("tables", f"echo tables >> {told}", "store")):
        assert told.read_text().split("\n")[:-1] == ["start store", "tables", "start service", "start edge"]
    assert told.read_text().split("\n")[4:-1] == ["stop edge", "stop service", "stop store"]


async def failure_of(site: Site, *parts: Part) -> StartFailed:
    with pytest.raises(ExceptionGroup) as group:
        await asyncio.wait_for(Supervisor(site, parts, print).run(asyncio.Event(), lambda: None), 10)
    [failure] = group.value.exceptions
    assert isinstance(failure, StartFailed)
    return failure


async def test_failed_step_tells_its_last_words_and_log(site: Site) -> None:
    site.home.log("tables").write_text("words of yesterday\n")
    failure = await failure_of(
        site, server("store", FOREVER), step("tables", "echo no disk; exit 3", "store")
    )
    assert (
        str(failure)
        == f"tables did not start: exited with code 3\n  | no disk\nlog: {site.home.log('tables')}"
    )
    [store] = state.read(site.home).named("store")
    assert store.process
    assert not store.process.alive()


async def test_part_that_ends_before_it_is_ready_fails_the_start(site: Site, tmp_path: Path) -> None:
    failure = await failure_of(site, server("bus", "kill -9 $$", ready_when=tmp_path / "never"))
    assert str(failure).startswith("bus did not start: was ended by signal 9")


async def test_missing_program_fails_the_start(site: Site) -> None:
    failure = await failure_of(site, Part(name="bus", argv=("/no/such/program",)))
    assert "/no/such/program" in str(failure)


async def test_step_with_a_marker_is_done_once(site: Site, tmp_path: Path) -> None:
    made, marker = tmp_path / "made", tmp_path / "marker"
    for _ in range(2):
        async with Running(site, step("init", f"echo made >> {made}", marker=marker)):
            pass
    assert made.read_text() == "made\n"


async def test_interrupted_step_leaves_no_marker(site: Site, tmp_path: Path) -> None:
    await failure_of(site, step("init", "exit 1", marker=tmp_path / "marker"))
    assert not (tmp_path / "marker").exists()


async def test_dead_part_is_started_again_and_mesh_file_names_the_new_process(site: Site) -> None:
    async with Running(site, server("bus", FOREVER)) as mesh:
        before = mesh.pid("bus")
        assert json.loads(site.home.mesh_file.read_text())["processes"]["bus"] == [before]
        os.kill(before, signal.SIGKILL)
        await mesh.until_state("bus", "ready", but_pid=before)
        assert json.loads(site.home.mesh_file.read_text())["processes"]["bus"] == [mesh.pid("bus")]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that asks often and soon gives up."""
    monkeypatch.setattr(unit, "_ASK_SECONDS", 0.01)
    monkeypatch.setattr(unit, "USELESS_SECONDS", 0.2)
    monkeypatch.setattr(supervisor, "_HOUSEKEEPING_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_part_that_lives_and_works_no_more_is_started_again(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    alive = Answers(None, *[NotReady("its disk was full")] * 10_000)
    async with Running(site, server("bus", FOREVER, alive=alive)) as mesh:
        before = mesh.pid("bus")
        await mesh.until_state("bus", "ready", but_pid=before)
        assert "bus works no more: its disk was full" in caplog.text


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answers", [[OSError("silence")], [NotReady("not now"), None] * 50, [NotReady("no"), OSError("?")] * 50]
)
async def test_part_that_is_silent_or_works_again_is_left_alone(
    site: Site, answers: list[Exception | None]
) -> None:
    alive = Answers(*answers, None)

    async def asked_for_long() -> bool:
        return alive.asked > 60  # longer than the supervisor's patience

    async with Running(site, server("bus", FOREVER, alive=alive)) as mesh:
        before = mesh.pid("bus")
        await polling.eventually(asked_for_long, "it to be asked many times")
        assert (mesh.pid("bus"), mesh.state("bus")) == (before, "ready")


@pytest.mark.usefixtures("impatient")
async def test_what_could_not_be_written_down_is_written_as_soon_as_that_works(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def failed() -> bool:
        return "could not be written down" in caplog.text

    async def written() -> bool:
        return site.home.mesh_file.is_file()

    async with Running(site, server("bus", FOREVER)) as mesh:
        before = mesh.pid("bus")
        site.home.mesh_file.unlink()
        site.home.mesh_file.mkdir()
        os.kill(before, signal.SIGKILL)
        await polling.eventually(failed, "the file to be in the way")
        site.home.mesh_file.rmdir()
        await polling.eventually(written, "mesh.json to be written again")
        [now] = json.loads(site.home.mesh_file.read_text())["processes"]["bus"]
        assert now not in {before, 0}
        assert mesh.pid("bus") == now


@pytest.mark.usefixtures("impatient")
async def test_log_that_cannot_be_moved_does_not_end_the_mesh(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def failed() -> bool:
        return "the log of bus could not be moved" in caplog.text

    async with Running(site, server("bus", FOREVER)) as mesh:
        path = site.home.log("bus")
        path.with_name(f"{path.name}.1").mkdir()
        with path.open("r+b") as file:
            file.truncate(log.MAX_BYTES + 1)
        await polling.eventually(failed, "the log to be too long")
        assert not mesh.task.done()


async def test_held_part_stays_down_and_comes_back_when_released(site: Site) -> None:
    async with Running(site, server("bus", FOREVER)) as mesh:
        before = mesh.pid("bus")
        (site.home.holds / "bus").touch()
        mesh.supervisor.look_at_holds()
        await mesh.until_state("bus", "held", but_pid=before)
        assert json.loads(site.home.mesh_file.read_text())["processes"]["bus"] == []
        (site.home.holds / "bus").unlink()
        mesh.supervisor.look_at_holds()
        await mesh.until_state("bus", "ready", but_pid=before)


async def test_drop_in_is_read_at_each_start_of_a_part(site: Site, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    part = Part(
        name="bus-1", process="bus", argv=("sh", "-c", f'echo "$WORD$LEVEL" >> {seen}'), env={"WORD": "a"}
    )
    for drop_in in ({}, {"bus": {"LEVEL": "b"}}, {"bus-1": {"WORD": "c"}, "other": {"WORD": "d"}}):
        for name, variables in drop_in.items():
            dropins.write(site.home, name, variables)
        async with Running(site, part):
            pass
    assert seen.read_text().split() == ["a", "ab", "cb"]


@pytest.mark.parametrize("text", ["{", "[]", '{"LEVEL": 1}'])
async def test_unreadable_drop_in_fails_the_start_and_is_named(site: Site, text: str) -> None:
    site.home.drop_in("bus").write_text(text)
    failure = await failure_of(site, server("bus", FOREVER))
    assert str(site.home.drop_in("bus")) in str(failure)


async def test_unreadable_drop_in_keeps_a_part_down_and_the_mesh_up(site: Site) -> None:
    async with Running(site, server("bus", FOREVER), server("store", FOREVER)) as mesh:
        before = mesh.pid("bus")
        site.home.drop_in("bus").write_text("{")
        os.kill(before, signal.SIGKILL)
        await mesh.until_state("bus", "dead")
        site.home.drop_in("bus").unlink()
        await mesh.until_state("bus", "ready", but_pid=before)
        assert mesh.state("store") == "ready"


async def test_child_sees_nothing_of_the_callers_environment(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLERS_SECRET", "x")
    seen = tmp_path / "seen"
    part = Part(
        name="look", argv=("sh", "-c", f"env > {seen}; cat >> {seen}"), env={"OWN": "y"}, stdin="from stdin"
    )
    async with Running(site, part):
        pass
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert names <= {"PATH", "LANG", "TZ", "OWN", "PWD", "SHLVL", "_", "from stdin"}
    assert {"OWN", "from stdin"} <= names
