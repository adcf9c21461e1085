"""Makes every stream and durable: `python -m deploy.local.provision`, told by the environment of ingest's verb.

It does what `python -m services.ingest provision` does, without the time that it takes to load all of ingest.
"""

from __future__ import annotations

import asyncio
import os

from services.chassis import bus, subjects, telemetry
from services.chassis.provision import provision
from services.chassis.settings import load
from services.ingest.settings import ProvisionSettings


async def main() -> None:
    """Wait for the bus and make them."""
    settings = load(ProvisionSettings, prefix="INGEST_", environ=os.environ)
    async with bus.connected(settings.nats_url, "provision") as nats:
        await nats.until_connected()
        await provision(nats.jetstream, subjects.STREAMS, max_bytes=settings.streams_max_bytes)


if __name__ == "__main__":
    telemetry.log_to_stderr("provision")
    asyncio.run(main())
