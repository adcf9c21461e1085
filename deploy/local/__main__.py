"""`python -m deploy.local up|run|down|hold PART|release PART|status`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from deploy.local import guide, settings
from deploy.local.failures import MeshError
from deploy.local.mesh import Mesh
from deploy.local.settings import ROOT
from deploy.local.site import minimal_environment
from services.chassis.settings import SettingsError

_INTERRUPTED = 130


def main() -> int:
    """Do what the command line says; answer the exit code."""
    arguments = _parser().parse_args()
    try:
        mesh = Mesh.of(settings.load(os.environ))
        code: int = arguments.verb(mesh, arguments)
    except (MeshError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _up(mesh: Mesh, _: argparse.Namespace) -> int:
    began = time.monotonic()
    started = mesh.up(_tell)
    _tell(f"The mesh is up after {time.monotonic() - began:.1f} s" if started else "The mesh is up already")
    _tell(guide.addresses(mesh.describe()))
    _tell(f"  all of it  {mesh.home.mesh_file}")
    return 0


def _run(mesh: Mesh, _: argparse.Namespace) -> int:
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores SIGHUP on purpose
            signal.signal(signum, signal.default_int_handler)
    if not mesh.up(_tell, tied=True):
        raise MeshError(
            "a mesh runs in this home already: `make down` stops it, SCANMESH_HOME chooses another"
        )
    try:
        description = mesh.describe()
        _show_demo(description)
        _tell(guide.addresses(description))
        _tell(guide.next_step(description))
        _tell("Ctrl-C stops it.")
        mesh.wait_until_over()
    except KeyboardInterrupt:
        _tell("stopping")
        return 0
    finally:
        mesh.down()
    raise MeshError(f"the mesh has ended; log: {mesh.home.log('supervisor')}")


def _show_demo(description: Mapping[str, Any]) -> None:
    """Run the demo as a customer's program: it is told mesh.json and nothing else.

    Raises:
        MeshError: it could not do what it wanted; it has said why.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.demo"],
        cwd=ROOT,
        env=minimal_environment(),  # a proxy of the caller's is of no use on loopback
        input=json.dumps(description),
        text=True,
        check=False,
    )
    if ended.returncode:
        raise MeshError("the demo did not come to its end")


def _down(mesh: Mesh, _: argparse.Namespace) -> int:
    _tell("stopped" if mesh.down() else "nothing ran")
    return 0


def _tell(text: str) -> None:
    print(text, flush=True)


def _hold(mesh: Mesh, arguments: argparse.Namespace) -> int:
    mesh.hold(arguments.part)
    return 0


def _release(mesh: Mesh, arguments: argparse.Namespace) -> int:
    mesh.release(arguments.part)
    return 0


def _status(mesh: Mesh, _: argparse.Namespace) -> int:
    for part in mesh.parts():
        pid = part.process.pid if part.process else "-"
        _tell(f"{part.name:<20} {part.state:<9} {pid!s:>8}  {part.restarts} restarts")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    verbs = parser.add_subparsers(required=True)
    for name, verb in _VERBS.items():
        verbs.add_parser(name).set_defaults(verb=verb)
    for name, verb in _VERBS_OF_A_PART.items():
        of_a_part = verbs.add_parser(name)
        of_a_part.add_argument("part")
        of_a_part.set_defaults(verb=verb)
    return parser


Verb = Callable[[Mesh, argparse.Namespace], int]
_VERBS: Mapping[str, Verb] = {"up": _up, "run": _run, "down": _down, "status": _status}
_VERBS_OF_A_PART: Mapping[str, Verb] = {"hold": _hold, "release": _release}


if __name__ == "__main__":
    sys.exit(main())
