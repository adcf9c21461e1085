"""mesh.json: what runs, where, and the credentials to reach it; for tests, tools and people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.local import environments, nats, postgres, services, valkey
from deploy.local.home import write_private
from deploy.local.ports import EDGE, EDGE_TLS
from deploy.local.roster import PROCESSES, SERVICES
from deploy.local.site import Site

Processes = Mapping[str, Sequence[int]]
"""Process ids by name; the replicas of a service share its name."""


def write(site: Site, processes: Processes) -> None:
    """Replace mesh.json."""
    demo = json.loads(site.home.demo_file.read_text())
    write_private(site.home.mesh_file, json.dumps(describe(site, processes, demo), indent=2) + "\n")


def describe(site: Site, processes: Processes, demo: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the contents of mesh.json."""
    return {
        "edge": {
            "http": f"http://127.0.0.1:{site.ports[EDGE]}",
            "https": f"https://127.0.0.1:{site.ports[EDGE_TLS]}",
            "ca": str(site.home.ca),
            "admin": f"http://127.0.0.1:{site.ports['envoy.admin']}",
        },
        "services": {name: environments.addresses(site, name) for name in SERVICES},
        "metrics": {name: services.metrics(site, name) for name in PROCESSES},
        "nats": nats.inspector_url(site),
        "postgres": postgres.superuser_url(site),
        "valkey": valkey.inspector_url(site),
        "processes": {name: list(pids) for name, pids in processes.items()},
        "demo": dict(demo),
    }
