"""Faults are planted from outside, fire when they should, and leave every other process alone."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.plants.site import planted
from benchmarks.plants.site.planted import Plant
from deploy.local.settings import ROOT

STEPS = "tests.unit.benchmarks.plants.steps"
UNDISTURBED = "1 10 100\n2 20 200\n3 30 300\n"


def run(*plants: Plant) -> subprocess.CompletedProcess[str]:
    environ = planted.environment(*plants) if plants else {"PYTHONPATH": planted.environment()["PYTHONPATH"]}
    return subprocess.run(
        [sys.executable, "-m", "tests.unit.benchmarks.plants.victim"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def steps() -> ModuleType:
    """A copy of the module, for this test alone."""
    spec = importlib.util.find_spec(STEPS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_process_without_plants_is_untouched() -> None:
    ran = run()
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, UNDISTURBED, "")


@pytest.mark.parametrize(
    ("target", "when", "printed"),
    [
        ("plain", "before", "1 10 100\n"),
        ("Steps.waiting", "before", "1 10 100\n"),
        ("Steps.waiting", "after", "1 10 100\n"),
    ],
)
def test_process_is_killed_once_over_all_its_starts(
    tmp_path: Path, target: str, when: str, printed: str
) -> None:
    marker = tmp_path / "fired"
    plant = Plant(target=f"{STEPS}:{target}", act="kill", when=when, call=2, marker=str(marker))
    first = run(plant)
    assert (first.returncode, first.stdout) == (-signal.SIGKILL, printed)
    assert marker.exists()
    again = run(plant)
    assert (again.returncode, again.stdout) == (0, UNDISTURBED)


@pytest.mark.parametrize(
    "plant",
    [
        Plant(target=f"{STEPS}:Steps.gone", act="kill"),
        Plant(target=f"{STEPS}:Steps", act="kill"),
        Plant(target=f"{STEPS}:plain", act="explode"),
    ],
)
def test_plant_that_cannot_be_planted_ends_the_process(plant: Plant) -> None:
    ran = run(plant)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "plain" in ran.stderr or "is no function" in ran.stderr


async def test_error_is_raised_at_the_call_named_and_no_other(steps: ModuleType) -> None:
    planted.sow(
        steps, [Plant(target=f"{STEPS}:Steps.waiting", act="raise", value="builtins:OSError", call=2)]
    )
    assert await steps.Steps().waiting(1) == 100
    with pytest.raises(OSError, match="planted"):
        await steps.Steps().waiting(2)
    assert await steps.Steps().waiting(3) == 300


def test_only_calls_with_the_argument_named_count(steps: ModuleType) -> None:
    planted.sow(steps, [Plant(target=f"{STEPS}:plain", act="return", value="0", call=0, among="7")])
    assert [steps.plain(number) for number in (6, 7, 8, 7)] == [60, 0, 80, 0]


async def test_coroutine_hangs_and_others_go_on(steps: ModuleType) -> None:
    planted.sow(steps, [Plant(target=f"{STEPS}:Steps.waiting", act="hang", when="after")])
    hanging = asyncio.create_task(steps.Steps().waiting(1))
    await asyncio.sleep(0)  # it has begun
    assert await steps.Steps().waiting(2) == 200
    assert not hanging.done()
    hanging.cancel()


def test_replacement_is_given_the_original(steps: ModuleType) -> None:
    planted.sow(steps, [Plant(target=f"{STEPS}:plain", act="replace", value=f"{STEPS}:instead", call=0)])
    assert steps.plain(1) == -10


def test_clock_follows_its_file(steps: ModuleType, tmp_path: Path) -> None:
    ahead, before = tmp_path / "ahead", steps.now()
    planted.sow(steps, [Plant(target=f"{STEPS}:now", act="shift", value=str(ahead), call=0)])
    assert steps.now() == before
    ahead.write_text("3600")
    assert steps.now() == before + timedelta(hours=1)
