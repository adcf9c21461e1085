"""The mesh's streams on a test's own NATS."""

from __future__ import annotations

from services.chassis import subjects
from services.chassis.bus import Bus
from services.chassis.provision import provision
from services.chassis.subjects import Stream

_MAX_BYTES = 2**29


async def make(bus: Bus) -> None:
    """Make all of them."""
    await bus.until_connected()
    await provision(bus.jetstream, subjects.STREAMS, max_bytes=_MAX_BYTES)


async def make_anew(bus: Bus, stream: Stream) -> None:
    """Lose one of them with all that is in it, and make it again."""
    await bus.jetstream.delete_stream(stream.name)
    await provision(bus.jetstream, [stream], max_bytes=_MAX_BYTES)
