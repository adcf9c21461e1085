"""One part while it lives: started, asked until it answers, started again when it ends or works no more, or held."""

from __future__ import annotations

import asyncio
import logging
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from deploy.local import dropins, log, priority
from deploy.local.backoff import Backoff
from deploy.local.failures import StartFailed
from deploy.local.home import Home, write_private
from deploy.local.parts import Check, NotReady, Part
from deploy.local.process import ProcessId
from deploy.local.settings import ROOT
from deploy.local.site import minimal_environment

START_SECONDS = 60.0
"""A part that has not answered by then has failed to start; on a small machine under load a start takes a while."""
STOP_SECONDS = 2.5
"""How long a part may take to stop before it is killed: `down` promises five seconds for all of them."""
USELESS_SECONDS = 3.0
"""A part that has said for so long that it does not work any more is started again."""
_POLL_SECONDS = 0.025
_ASK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class State(StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    DEAD = "dead"
    HELD = "held"


class Unit:
    """Supervises the process of one part."""

    def __init__(self, part: Part, home: Home, changed: Callable[[Unit], None]) -> None:
        self.part = part
        self.state = State.WAITING
        self.process: ProcessId | None = None
        """The process last started; none while the part is held."""
        self.restarts = 0
        self._changed = changed
        self._home = home
        self._log = home.log(part.name)
        self._log_start = 0
        self._child: Process | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._turn = asyncio.Lock()  # no process is started while the part is being held
        self._ready_at: float | None = None
        self._why = "it does not answer"

    async def boot(self) -> None:
        """Start for the first time; return when it is ready, or, for a step, done.

        Raises:
            StartFailed: it ended, or did not answer in time.
        """
        if self.part.marker is not None and self.part.marker.exists():
            self._enter(State.DONE)
            return
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._start()
                await (self._until_done() if self.part.ready is None else self._boot_ready(self.part.ready))
        except TimeoutError:
            raise self._failure(f"{self._why} after {START_SECONDS:.0f} s") from None
        except OSError as error:  # its program or a folder is missing
            raise self._failure(str(error)) from error

    async def keep(self) -> None:
        """Start it again whenever it ends or works no more, for as long as the mesh runs."""
        if self.part.ready is None:
            return
        backoff = Backoff()
        while True:
            await self._pause(backoff, await self._over())
            try:
                if await self._start():
                    self.restarts += 1
                    await self._until_ready(self.part.ready)
            except OSError:  # the machine is out of memory, disk or descriptors: that passes
                _log.exception("%s cannot be started now", self.part.name)

    async def hold(self) -> None:
        """Stop it and keep it down."""
        self._wanted.clear()
        async with self._turn:
            await self.terminate(STOP_SECONDS)
            self.process = None
            self._enter(State.HELD)

    def release(self) -> None:
        """Let it come back."""
        self._wanted.set()

    @property
    def held(self) -> bool:
        """Tell whether it is to stay down."""
        return not self._wanted.is_set()

    async def terminate(self, grace_seconds: float) -> None:
        """Ask it to stop, and kill it after the grace."""
        child = self._child
        if child is None or child.returncode is not None:
            return
        with suppress(ProcessLookupError):
            child.send_signal(self.part.stop)
        try:
            async with asyncio.timeout(grace_seconds):
                await child.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        if self._child is not None and self._child.returncode is None:
            with suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()

    async def _start(self) -> bool:
        """Start the process; answer False when the part is held meanwhile."""
        async with self._turn:
            if self.held:
                return False
            self._ready_at = None
            if self.part.before is not None:
                self.part.before()
            log.trim(self._log)
            self._log_start = log.size(self._log)
            self._child = await self._spawn()
            self.process = _identify(self._child.pid)
            self._enter(State.STARTING)
        if self.part.nice:
            await priority.lower(self._child.pid, self.part.nice)
        await self._feed(self._child)
        return True

    async def _spawn(self) -> Process:
        with log.appending(self._log) as output:
            return await asyncio.create_subprocess_exec(
                *command(self.part),
                stdin=PIPE if self.part.stdin else DEVNULL,
                stdout=output,
                stderr=STDOUT,
                cwd=ROOT,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is for the supervisor, which then stops everything in order
            )

    def _environment(self) -> dict[str, str]:
        extra = dropins.read(self._home, self.part.process_name, self.part.name)
        return {**minimal_environment(), **self.part.env, **extra}

    async def _feed(self, child: Process) -> None:
        if child.stdin is not None:
            with suppress(ConnectionError):  # it ended early; its exit code tells
                child.stdin.write(self.part.stdin.encode())
                await child.stdin.drain()
            child.stdin.close()

    async def _boot_ready(self, ready: Check) -> None:
        if not await self._until_ready(ready):
            raise self._failure(_how_it_ended(await self._ended()))

    async def _until_done(self) -> None:
        code = await self._ended()
        if code:
            raise self._failure(_how_it_ended(code))
        if self.part.marker is not None:
            # Durable: whoever misses it does the step again, and initdb's empties the folder first.
            write_private(self.part.marker, "", durable=True)
        self._enter(State.DONE)

    async def _until_ready(self, ready: Check) -> bool:
        """Ask it until it answers; False when it ended first."""
        ended = asyncio.ensure_future(self._ended())
        try:
            while not ended.done():
                try:
                    await ready()
                except (NotReady, OSError) as error:
                    self._why = str(error) or type(error).__name__
                else:
                    self._ready_at = asyncio.get_running_loop().time()
                    self._enter(State.READY)
                    return True
                await asyncio.wait({ended}, timeout=_POLL_SECONDS)
        finally:
            ended.cancel()
        return False

    async def _pause(self, backoff: Backoff, code: int) -> None:
        """Wait until it may be started again."""
        if not self.held:
            now = asyncio.get_running_loop().time()
            delay = backoff.after(0.0 if self._ready_at is None else now - self._ready_at)
            _log.warning("%s %s; it starts again in %.1f s", self.part.name, _how_it_ended(code), delay)
            self._enter(State.DEAD)
            await asyncio.sleep(delay)
        await self._wanted.wait()

    async def _over(self) -> int:
        """Wait for the process to end, and end one that works no more; answer its exit code as `_ended` does."""
        if self.part.alive is None:
            return await self._ended()
        ended = asyncio.ensure_future(self._ended())
        useless = asyncio.ensure_future(self._useless(self.part.alive))
        try:
            await asyncio.wait({ended, useless}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                _log.warning("%s works no more: %s", self.part.name, useless.result())
                await self.terminate(STOP_SECONDS)
            return await ended
        finally:
            ended.cancel()
            useless.cancel()

    async def _useless(self, alive: Check) -> str:
        """Wait until it has said for a while that it does not work, and answer why not."""
        loop = asyncio.get_running_loop()
        why, worked = "", loop.time()
        while loop.time() - worked < USELESS_SECONDS:
            await asyncio.sleep(_ASK_SECONDS)
            try:
                await alive()
            except NotReady as error:
                why = str(error)
                continue
            except OSError:  # silence: it is busy, frozen or about to end
                pass
            worked = loop.time()
        return why

    async def _ended(self) -> int:
        """Wait for the process to end and answer its exit code; negative = the signal that ended it."""
        if self._child is None:
            raise RuntimeError(f"{self.part.name} was never started")
        return await self._child.wait()

    def _enter(self, state: State) -> None:
        self.state = state
        self._changed(self)

    def _failure(self, why: str) -> StartFailed:
        lines = log.tail(self._log, start=self._log_start)
        return StartFailed(self.part.name, why, log=self._log, lines=lines)


def command(part: Part) -> list[str]:
    """Answer the command line of a part: it gets its stop signal should the supervisor die, whatever kills that."""
    setpriv = shutil.which("setpriv") or "setpriv"
    return [setpriv, "--pdeathsig", part.stop.name.removeprefix("SIG"), *part.run_as, "--", *part.argv]


def _identify(pid: int) -> ProcessId | None:
    try:
        return ProcessId.of(pid)
    except ProcessLookupError:  # it has already ended
        return None


def _how_it_ended(code: int) -> str:
    return f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
