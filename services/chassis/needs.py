"""What a service needs to work, and whether that works now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from services.chassis.errors import MeshError

Need = Callable[[], Awaitable[None]]
"""Returns when a dependency works, raises a MeshError when it does not."""

PROBE_SECONDS = 1.0
"""How long all needs of a service may take to answer, together."""

_log = logging.getLogger(__name__)


async def met(needs: Sequence[Need]) -> bool:
    """Tell whether all of them work, within a second."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            for need in needs:
                await need()
    except (MeshError, TimeoutError):
        return False
    except Exception:  # noqa: BLE001 - a fault of one need must not stop the probing of all
        _log.exception("fault of a need")
        return False
    return True
