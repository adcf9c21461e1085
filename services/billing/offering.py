"""Keeps the plans on offer known to everybody, from the start of the process on."""

from __future__ import annotations

import asyncio
import logging

from services.billing.plans import Catalogue
from services.billing.publisher import Publisher
from services.chassis.errors import Unavailable

_LOOK_SECONDS = 60.0
_RETRY_SECONDS = 0.5

_log = logging.getLogger(__name__)


async def keep_offered(publisher: Publisher, catalogue: Catalogue) -> None:
    """Tell of the plans, and again should the bus have lost them, for ever."""
    while True:
        try:
            await publisher.offer(catalogue)
        except Unavailable as error:
            _log.info("the plans are not told yet", extra={"error": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            await asyncio.sleep(_LOOK_SECONDS)
