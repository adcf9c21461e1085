"""The mesh's streams on a test's own NATS."""

from __future__ import annotations

from services.chassis import subjects
from services.chassis.bus import Bus
from services.chassis.provision import provision

_MAX_BYTES = 2**29


async def make(bus: Bus) -> None:
    """Make all of them."""
    await bus.until_connected()
    await provision(bus.jetstream, subjects.STREAMS, max_bytes=_MAX_BYTES)
