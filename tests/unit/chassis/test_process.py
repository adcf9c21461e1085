"""A process is tried as one: it configures logging and an event loop for all of itself."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import asyncio
import logging
from services.chassis import process, settings


async def work(environ):
    logging.getLogger("demo").info("at work on %s", type(asyncio.get_running_loop()).__module__)


async def fail(environ):
    raise settings.SettingsError("DEMO_A: is missing\\nDEMO_B: is empty")


async def read(environ):
    print(environ["DEMO_TEXT"])


process.main("demo", {"work": work, "fail": fail, "read": read})
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"DEMO_TEXT": "told"})


def test_a_verb_runs_on_uvloop_and_logs_json() -> None:
    done = run("work")
    assert done.returncode == 0
    line = json.loads(done.stderr)
    assert (line["service"], line["message"]) == ("demo", "at work on uvloop")


def test_a_verb_gets_the_environment() -> None:
    assert run("read").stdout == "told\n"


def test_wrong_settings_are_all_told_and_end_the_process() -> None:
    done = run("fail")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "demo fail: the environment is not complete",
        "DEMO_A: is missing",
        "DEMO_B: is empty",
    ]


def test_an_unknown_verb_is_told_the_known_ones() -> None:
    for arguments in ((), ("no",), ("work", "work")):
        done = run(*arguments)
        assert done.returncode != 0
        assert done.stderr == "usage: python -m services.demo work|fail|read\n"
