"""Who goes first when the processors are busy: what a device waits for, before what is made of its scans afterwards.

And nobody is interrupted by who wakes up.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

BEHIND = 10
"""Added to a nice value: a tenth of the share of the others (sched(7)), and all of what they leave."""
_MOST = 19
_TRIES = 20
_TRY_SECONDS = 0.1

_log = logging.getLogger(__name__)


def take_turns() -> None:
    """Have this process, and whatever it starts from now on, interrupt nobody when there is something to do for it.

    A scan passes through six processes. Did each interrupt another one for every message, few processors would change
    between them dozens of times a scan; so each works off what has arrived meanwhile (SCHED_BATCH, sched(7)). Who has
    chosen another policy for this process keeps it. To be called before it has other threads, which keep theirs.
    """
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:  # it works all the same
        _log.warning("processes interrupt each other: %s", error)


async def lower(pid: int, by: int) -> None:
    """Have a process that was just started, the leader of its session, and whatever it starts, go behind others.

    Linux shares the processors between sessions first, by a nice value of their own (autogroups); only where it does
    not, those of the processes count.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, pid, min(os.getpriority(os.PRIO_PROCESS, pid) + by, _MOST))
        await _lower_session(Path(f"/proc/{pid}/autogroup"), by)
    except (ProcessLookupError, FileNotFoundError):  # it has already ended, or the kernel has no autogroups
        return
    except OSError as error:  # it works all the same
        _log.warning("a worker competes with what devices wait for: %s", error)


async def _lower_session(file: Path, by: int) -> None:
    for _ in range(_TRIES):
        try:
            file.write_text(str(by))
        except BlockingIOError:  # without rights, one such change in 0.1 s is allowed to all together
            await asyncio.sleep(_TRY_SECONDS)
        else:
            return
    raise TimeoutError(f"{file} could not be written in time")
