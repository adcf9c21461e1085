"""Throws away what nobody asks for any more."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from services.chassis.attempts import Attempts
from services.chassis.errors import Unavailable

_EVERY_SECONDS = 3_600.0
_ATTEMPTS_KEPT = timedelta(days=2)
"""A message is tried again within seconds; one that waits for longer than this has not been failing."""

_log = logging.getLogger(__name__)


async def keep_tidy(attempts: Attempts) -> None:
    """Forget attempts of long ago, for ever."""
    while True:
        try:
            await attempts.forget(_ATTEMPTS_KEPT)
        except Unavailable as error:
            _log.info("nothing is thrown away for now", extra={"error": str(error)})
        await asyncio.sleep(_EVERY_SECONDS)
