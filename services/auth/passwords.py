"""Operators' passwords: bcrypt at cost 12, off the event loop, and only so many at a time.

Each hash takes a core for a quarter of a second. So they run on threads of their own, few enough to leave the cores
to the edge's checks, and a flood of sign-ins is refused with a retry delay instead of queued without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Self, TypeVar

import bcrypt

from services.auth.users import MAX_PASSWORD_BYTES
from services.chassis.errors import Reason, Unavailable

_COST = 12
_DIGEST_CHARACTERS = 31
_THREADS = 2
_MOST_WAITING = 16
_RETRY_DELAY = timedelta(seconds=5)

T = TypeVar("T")


class TooManySignIns(Unavailable):
    """More passwords are being checked than there are cores to do it."""

    reason = Reason.OVERLOADED

    def __init__(self) -> None:
        super().__init__("too many sign-ins at once", retry_delay=_RETRY_DELAY)


class Passwords:
    """Hashes and checks passwords; a context manager, for the threads it keeps."""

    def __init__(self, *, cost: int = _COST) -> None:
        self._cost = cost
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        # What an unknown email is checked against, so that it takes as long as a known one. Only its salt is looked at
        # before the work is done, so a hash need not be made: that would make each start a quarter of a second longer.
        self._nobodys = bcrypt.gensalt(cost) + b"." * _DIGEST_CHARACTERS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Answer the salted hash of a password of at most 72 bytes.

        Raises:
            TooManySignIns: others are waiting already.
        """
        return (
            await self._run(lambda: bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._cost)))
        ).decode()

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is the one `hashed` was made of; None, nobody's, never is, and takes as long.

        Raises:
            TooManySignIns: others are waiting already.
        """
        given = password.encode()
        usable = hashed is not None and 0 < len(given) <= MAX_PASSWORD_BYTES
        against = hashed.encode() if hashed is not None and usable else self._nobodys
        return await self._run(lambda: bcrypt.checkpw(given[:MAX_PASSWORD_BYTES], against)) and usable

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise TooManySignIns
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
