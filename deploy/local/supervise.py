"""The supervisor's process: `python -m deploy.local.supervise <descriptor>`, started by `Mesh.up`.

It tells its starter what happens through an inherited pipe, one JSON object a line, and closes it when the mesh is up;
from then on nothing connects the two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress

from deploy.local import layout, priority, state
from deploy.local.failures import MeshError
from deploy.local.home import Home
from deploy.local.process import end
from deploy.local.settings import Settings, load
from deploy.local.supervisor import Supervisor

_LEFTOVER_SECONDS = 2.0


class Report:
    """Tells the starter, and the supervisor's own log."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def line(self, text: str) -> None:
        """Tell about progress."""
        logging.getLogger(__name__).info(text)
        self._send({"line": text})

    def failed(self, text: str) -> None:
        """Tell why there will be no mesh."""
        logging.getLogger(__name__).error(text)
        self._send({"failed": text})

    def up(self) -> None:
        """Tell that the mesh is up, and let go of the starter."""
        self._send({"up": True})
        self.close()

    def already_running(self) -> None:
        """Tell that another supervisor was faster."""
        self._send({"running": True})

    def close(self) -> None:
        """Let go of the starter."""
        with suppress(BrokenPipeError):
            self._pipe.close()

    def _send(self, message: dict[str, object]) -> None:
        if not self._pipe.closed:
            with suppress(BrokenPipeError):  # the starter was killed: the mesh goes on without it
                self._pipe.write(json.dumps(message) + "\n")
                self._pipe.flush()


async def supervise(settings: Settings, report: Report) -> None:
    """Run one mesh from start to stop.

    Raises:
        MeshError: it could not be started; some come in an ExceptionGroup.
    """
    home = Home(settings.home)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(
        signal.SIGHUP, lambda: None
    )  # a hold before the mesh is up is looked at when it is
    with state.locked(home):
        _clean_up(home)
        site = layout.prepare(settings, home)
        supervisor = Supervisor(site, layout.parts(site), report.line)
        loop.add_signal_handler(signal.SIGHUP, supervisor.look_at_holds)
        try:
            await supervisor.run(stop, report.up)
        finally:
            home.mesh_file.unlink(missing_ok=True)


def _clean_up(home: Home) -> None:
    """Remove what the last mesh of this home left, should its supervisor have been killed."""
    home.mesh_file.unlink(missing_ok=True)
    end(state.read(home).processes, grace_seconds=_LEFTOVER_SECONDS)
    home.state_file.unlink(missing_ok=True)
    for hold in home.holds.iterdir():
        hold.unlink()


def main() -> int:
    """Run a mesh as told by the environment."""
    os.umask(0o077)
    settings = load(os.environ)
    report = Report(int(sys.argv[1]))
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    priority.take_turns()
    code = 0
    try:
        asyncio.run(supervise(settings, report))
    except* state.AlreadyRunning:
        report.already_running()
    except* MeshError as failures:
        report.failed(str(failures.exceptions[0]))
        code = 1
    finally:
        report.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
