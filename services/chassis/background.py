"""Work that goes on beside a process's main one, for as long as that lasts."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(end: Callable[[], None], *work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the body. A fault of it ends the process, which is then started anew.

    What is away for a time is no fault: each work goes on by itself when it is back. And an end is no cut: the body
    first finishes what it does, with the rest of the work still at its side.

    Args:
        end: asks the body to end; called when work has ended by itself.
        work: coroutines that never end by themselves.

    Raises:
        ExceptionGroup: the faults.
    """
    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(lambda ended: _end(end, ended))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    if faults := [ended for ended in ends if isinstance(ended, Exception)]:
        raise ExceptionGroup("background work failed", faults)


def _end(end: Callable[[], None], ended: asyncio.Task[None]) -> None:
    if not ended.cancelled():
        _log.critical("background work has ended, so this process does", exc_info=ended.exception())
        end()


async def until_stopped(*work: Coroutine[Any, Any, None]) -> None:
    """Run work that is a process's only one, until SIGTERM or SIGINT.

    Raises:
        ExceptionGroup: work failed; the process is then started anew.
    """
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ending.set)
    async with running(ending.set, *work):
        _log.info("working")
        await ending.wait()
    _log.info("stopped")
