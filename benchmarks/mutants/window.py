"""The moment in which a mutant has gone wrong and nobody can tell yet, held open until a fault falls into it.

In the wild it is open for a millisecond, and a fault finds it once in a thousand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

SECONDS = 0.3

Step = Callable[..., Awaitable[Any]]


async def window() -> None:
    """Be open for a while; a test kills the process at its end."""
    await asyncio.sleep(SECONDS)


async def before(step: Step, *args: Any, **kwargs: Any) -> Any:
    """Take a step after a while, which is right: what went before it was wrong."""
    await window()
    return await step(*args, **kwargs)


async def after(step: Step, *args: Any, **kwargs: Any) -> Any:
    """Take a step and go on after a while, which is right: it was wrong, or what it did will be."""
    result = await step(*args, **kwargs)
    await window()
    return result
