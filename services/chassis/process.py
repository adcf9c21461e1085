"""How a process of the mesh begins: `python -m services.<name> <verb>`, one verb per process."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop

from services.chassis import telemetry
from services.chassis.settings import SettingsError

Verb = Callable[[Mapping[str, str]], Awaitable[Any]]
"""What a process does, given its environment, until it is done or stopped."""

_OBJECTS_PER_COLLECTION = 20_000
"""Thirty times Python's own: a process that decodes thousands of messages a second would collect after every few."""
_USAGE = 2
_FAULT = 1

_log = logging.getLogger(__name__)


def main(service: str, verbs: Mapping[str, Verb]) -> None:
    """Run the verb that the command line names; settings that are wrong are all told, on stderr, with exit code 2."""
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(f"usage: python -m services.{service} {'|'.join(verbs)}")
    telemetry.log_to_stderr(service)
    try:
        uvloop.run(_run(verbs[sys.argv[1]]))
    except SettingsError as error:
        sys.stderr.write(f"{service} {sys.argv[1]}: the environment is not complete\n{error}\n")
        sys.exit(_USAGE)
    except Exception:  # noqa: BLE001 - what ends a process is logged like everything else: as JSON, secrets blanked
        _log.exception("the process ends")
        sys.exit(_FAULT)


async def _run(verb: Verb) -> None:
    gc.freeze()  # what was imported stays: it need not be looked through again and again
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    await verb(os.environ)
