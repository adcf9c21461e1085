"""Brings every schema up to date: `python -m deploy.local.migrate`, with the owners' database URLs on standard input.

One process for all services, since most of each `python -m services.<name> migrate` would be its start.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping

from deploy.local.settings import ROOT
from services.chassis import database, telemetry
from services.chassis.settings import Secret


async def migrate(owners: Mapping[str, str]) -> None:
    """Run the migrations of each service, one after the other: Alembic's context is one per process."""
    for service, url in owners.items():
        await database.migrate(Secret(url), ROOT / "services" / service / "migrations", schema=service)


if __name__ == "__main__":
    telemetry.log_to_stderr("migrate")
    asyncio.run(migrate(json.load(sys.stdin)))
