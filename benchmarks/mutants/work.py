"""Handlers of work queues that let go of messages before they are done with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from benchmarks.mutants.window import window
from services.chassis.pull import Delivery

Handle = Callable[[object, Sequence[Delivery]], Awaitable[None]]


async def ack_before_commit(handle: Handle, handler: object, deliveries: Sequence[Delivery]) -> None:
    """Acknowledge messages, then decide them."""
    await acknowledge(deliveries)
    await handle(handler, deliveries)


async def acknowledge(deliveries: Sequence[Delivery]) -> None:
    """Take messages off their queue and stand still: from now on nobody else will do what is left to do."""
    for delivery in deliveries:
        await delivery.ack()
    await window()
