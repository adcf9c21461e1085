"""Which processes of the services run in a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVICES = ("auth", "ingest", "ratelimit", "enrichment", "billing")
"""Those that serve RPCs, under their names in mesh.json. Each has a schema of its own."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that takes work from the bus and serves no RPC."""

    service: str
    verb: str


WORKERS: Mapping[str, Worker] = {
    "ingest-recorder": Worker("ingest", "record"),
    "enrichment-worker": Worker("enrichment", "work"),
    "billing-ledger": Worker("billing", "ledger"),
}
"""By their names in mesh.json."""

PROCESSES = (*SERVICES, *WORKERS)
"""All of them; of each as many run as the mesh has replicas."""
